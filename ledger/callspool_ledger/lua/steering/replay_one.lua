#!lua flags=allow-oom
-- replay_one: lets one dead document wait again, with all tries before it; those that died in the
-- same batch stay dead.
-- KEYS[1] prefix
-- ARGV[1] digest of its identity   ARGV[2] number of the journal's entry, or 0   ARGV[3] who asks
-- ARGV[4] what was asked for, as JSON, for the journal   ARGV[5] wake-ups at most
-- Reply: {the letter that it had, '' if it is not known; 1 if it waits again, or 0; number of the
--   journal's entry, or 0}
-- include: base generations lanes batches parts selected replaying journal

-- Moves dead documents of a batch into one of their own.
local function part_off(batch, places, documents)
  local part, letter = move_part(batch, places, documents, 0), string.rep('x', #places)
  call('HSET', batch_key(part.id), 's', letter, 'phase', 'buried')
  call('ZREM', P .. ':waiting:' .. batch.account, part.id)
  call('ZADD', P .. ':dead', call('ZSCORE', P .. ':dead', batch.id), part.id)
  return load_batch(part.id)
end

-- The dead documents before the place, at it and after it, a batch each; returns the one at it.
local function set_apart(batch, place)
  local groups, documents, moved, wanted = { {}, { place }, {} }, documents_of(batch.id), {}, nil
  for at = 1, batch.n do
    local group = groups[at < place and 1 or 3]
    if at ~= place and letter_at(batch, at) == 'x' then group[#group + 1] = at end
  end
  for i, places in ipairs(groups) do
    if #places > 0 then
      local part = part_off(batch, places, documents)
      for _, at in ipairs(places) do moved[at] = part.id end
      if i == 2 then wanted = part end
    end
  end
  leave_behind(batch, moved)
  call('ZREM', P .. ':dead', batch.id)
  return wanted
end

local batch, place = find(ARGV[1])
local letter, number = letter_at(batch, place), tonumber(ARGV[2])
if letter ~= 'x' then return { letter, 0, number } end
local _, dead = string.gsub(batch.s, 'x', 'x')
replay_all(dead > 1 and set_apart(batch, place) or batch)
wake(1, tonumber(ARGV[5]))
return { letter, 1, note(number, ARGV[3], 'dead replay', ARGV[4], { documents = 1 }) }
