#!lua flags=allow-oom
-- remove: takes numbers off a list.
-- KEYS[1] prefix of the guard
-- ARGV[1] id of the key that the digests are made with   ARGV[2] list
-- ARGV[3] digests of numbers, 9 bytes each   ARGV[4] digests of other forms of them, not counted
-- Reply: {numbers taken off, version of the lists}
-- include: suppressed
if is_other_key(ARGV[1]) then return OTHER_KEY end
local list = ARGV[2]

-- Takes one entry off; tells whether the list held it.
local function take_off(digests, at)
  local key, field = entry_of(digests, at)
  local known = call('HGET', key, field)
  if not known then return false end
  local others, was_there = {}, false
  for each in string.gmatch(known, '[^,]+') do
    if source_of(string.match(each, '%d+')).list == list then
      was_there = true
    else
      others[#others + 1] = each
    end
  end
  if #others > 0 then
    call('HSET', key, field, table.concat(others, ','))
  else
    call('HDEL', key, field)
  end
  return was_there
end

local removed = 0
for at = 1, #ARGV[3], ENTRY_BYTES do
  if take_off(ARGV[3], at) then removed = removed + 1 end
end
for at = 1, #ARGV[4], ENTRY_BYTES do take_off(ARGV[4], at) end
if removed > 0 and call('HINCRBY', P .. ':lists', list, -removed) <= 0 then
  call('HDEL', P .. ':lists', list)
end
return { removed, note_change() }
