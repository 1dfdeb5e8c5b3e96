#!lua flags=allow-oom
-- put_back: the documents of an attempt wait again: nothing of it was created, provably, or a look at its
-- space is to say so before they are sent.
-- KEYS[1] prefix
-- ARGV[1] batch   ARGV[2] attempt   ARGV[3] taker   ARGV[4] tries that it cost
-- ARGV[5] ms until it may be taken again   ARGV[6] outcome ('' if nothing was sent)
-- ARGV[7] code   ARGV[8] detail   ARGV[9] wake-ups at most
-- ARGV[10] 1 if its calls may be counted still that were not made
-- ARGV[11] what such a look has to go by, or ''
-- Reply: documents put back; -1 if the batch is not this attempt's any more.
-- include: base lanes batches feed calls outcomes
local batch = load_batch(ARGV[1])
if not is_current(batch, ARGV[2], ARGV[3]) then return -1 end
local delay = tonumber(ARGV[5])
local n = leave_sending(batch, 'w')
call('HDEL', P .. ':sending', ARGV[3])
call('HSET', batch_key(batch.id), 's', batch.s, 'tries', batch.tries + ARGV[4], 'why', ARGV[8])
if ARGV[6] ~= '' then record(batch, n, ARGV[6], ARGV[7], ARGV[8]) end
tally(batch, batch.taken, n, ARGV[6], ARGV[7])
if ARGV[6] ~= '' then call('HDEL', batch_key(batch.id), 'missed', 'unlooked') end
if ARGV[10] == '1' then note_missed(batch) end
if ARGV[11] ~= '' then
  local is_marked = call('HGET', batch_key(batch.id), 'marked') == '1' and 1 or 0
  local of = string.format('%d %s %d %d ', batch.attempt, batch.taken, NOW, is_marked)
  call('HSET', batch_key(batch.id), 'unlooked', of .. ARGV[11])
end
if close_if_settled(batch) then return n end
call('ZADD', P .. ':waiting:' .. batch.account, batch.o, batch.id)
if delay > 0 then
  call('HSET', batch_key(batch.id), 'phase', 'resting', 'due', NOW + delay)
  call('ZADD', P .. ':due', NOW + delay, 'B' .. batch.id)
else
  enqueue(batch, true)
  wake(1, tonumber(ARGV[9]))
end
return n
