#!lua flags=allow-oom
-- resend: documents in doubt wait again, without proof: a person may be called twice.
-- KEYS[1] prefix
-- ARGV[1] batch   ARGV[2] attempt   ARGV[3] ms until it may be taken again
-- ARGV[4] documents a batch (fewer than it has: it is split)   ARGV[5] tries of the parts
-- ARGV[6] wake-ups at most
-- Reply: documents that wait again; -1 if they are not in doubt because of this attempt.
-- include: base generations lanes batches parts
local batch = load_batch(ARGV[1])
if not batch or batch.attempt ~= tonumber(ARGV[2]) or batch.phase ~= 'doubt' then return -1 end
local delay, size = tonumber(ARGV[3]), tonumber(ARGV[4])
local n = turn(batch, 'd', 'w')
count(batch.account, 'resent', n)
count(batch.account, 'unproven', n)
call('ZREM', P .. ':doubts', batch.id)
call('HSET', batch_key(batch.id), 's', batch.s)
if n > size then
  wake(split_waiting(batch, 'w', size, math.huge, ARGV[5]), tonumber(ARGV[6]))
  return n
end
call('ZADD', P .. ':waiting:' .. batch.account, batch.o, batch.id)
call('HSET', batch_key(batch.id), 'phase', 'resting', 'due', NOW + delay, 'tries', ARGV[5])
call('ZADD', P .. ':due', NOW + delay, 'B' .. batch.id)
return n
