#!lua flags=allow-oom
-- resend: documents in doubt wait again: proven missing, or without proof, if that was decided; a
-- person may then be called twice.
-- KEYS[1] prefix
-- ARGV[1] batch   ARGV[2] attempt   ARGV[3] ms until it may be taken again
-- ARGV[4] documents a batch (fewer than it has: it is split)   ARGV[5] tries of the parts
-- ARGV[6] wake-ups at most
-- ARGV[7] the ms at which the look began that found them missing ('': without proof)
-- ARGV[8] what that look found   ARGV[9] ms that a look stays good
-- ARGV[10] places (a mask; '' for all)
-- ARGV[11] places that go alone (`,place,place,`, counted from 1), or ''
-- Reply: documents that wait again; -1 if they are not in doubt because of this attempt, or if the
--   look is too old or something has changed since.
-- include: base generations lanes batches parts doubts
local batch = load_batch(ARGV[1])
if not batch or batch.attempt ~= tonumber(ARGV[2]) or batch.phase ~= 'doubt' then return -1 end
local delay, size, looked, places = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[7]), ARGV[10]

if looked and not is_fresh(batch, looked, ARGV[8], ARGV[9]) then return -1 end

-- Only some places: the others keep a letter aside, until these have moved out.
local kept = ''
if places ~= '' then
  local letters = {}
  for place = 1, batch.n do
    local letter = string.sub(batch.s, place, place)
    letters[place] = letter == 'd' and string.sub(places, place, place) ~= '1' and 'D' or letter
  end
  batch.s = table.concat(letters)
  kept = string.find(batch.s, 'D') and 'D' or ''
end

local n = turn(batch, 'd', 'w')
count(batch.account, 'resent', n)
if not looked then count(batch.account, 'unproven', n) end
if n == 0 then return 0 end
record(batch, n, looked and 'missing' or 'unproven', '', '')
if kept == '' then end_doubt(batch) end
batch.s = string.gsub(batch.s, 'D', 'd')
call('HSET', batch_key(batch.id), 's', batch.s)
local missed = looked and note_missed(batch)
if n > size or kept ~= '' or (ARGV[11] ~= '' and n > 1) then
  wake(split_waiting(batch, 'w', size, math.huge, ARGV[5], ARGV[11]), tonumber(ARGV[6]))
  if missed and kept ~= '' then call('HSET', batch_key(batch.id), 'missed', missed) end
  return n
end
call('ZADD', P .. ':waiting:' .. batch.account, batch.o, batch.id)
call('HSET', batch_key(batch.id), 'phase', 'resting', 'due', NOW + delay, 'tries', ARGV[5])
call('ZADD', P .. ':due', NOW + delay, 'B' .. batch.id)
return n
