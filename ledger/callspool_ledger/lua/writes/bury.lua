#!lua flags=allow-oom
-- bury: documents that cannot be sent, with the reason; kept, so that they can be replayed.
-- KEYS[1] prefix
-- ARGV[1] batch   ARGV[2] attempt   ARGV[3] taker   ARGV[4] outcome   ARGV[5] code
-- ARGV[6] detail
-- ARGV[7] '', or for documents in doubt the ms at which the look began that found them missing
-- ARGV[8] what that look found   ARGV[9] ms that a look stays good
-- Reply: documents buried; -1 if the batch is not this attempt's any more, or if the look is too old
--   or something has changed since.
-- include: base lanes batches outcomes doubts
local batch = load_batch(ARGV[1])
local attempt = tonumber(ARGV[2])
local looked = tonumber(ARGV[7])
local n
if looked then
  if not batch or batch.attempt ~= attempt or batch.phase ~= 'doubt' then return -1 end
  if not is_fresh(batch, looked, ARGV[8], ARGV[9]) then return -1 end
  n = turn(batch, 'd', 'x')
  record(batch, n, 'missing', '', ARGV[6])
  end_doubt(batch)
else
  if not is_current(batch, attempt, ARGV[3]) then return -1 end
  n = leave_sending(batch, 'x')
  call('HDEL', P .. ':sending', ARGV[3])
  record(batch, n, ARGV[4], ARGV[5], ARGV[6])
  tally(batch, batch.taken, n, ARGV[4], ARGV[5])
  -- Several in a row, and none created between: then it is not the documents' fault.
  if ARGV[4] == 'rejected' and n == 1 then call('HINCRBY', lane_key(batch.lane), 'refused', 1) end
end
count(batch.account, 'died|' .. (looked and 'missing' or ARGV[5]), n)
call('HSET', batch_key(batch.id), 's', batch.s, 'phase', 'buried', 'why', ARGV[6])
if not close_if_settled(batch) then call('ZADD', P .. ':dead', NOW, batch.id) end
return n
