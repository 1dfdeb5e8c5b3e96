#!lua flags=allow-oom
-- lapse: a taker is gone, or its lease is over: its documents may have been sent.
-- KEYS[1] prefix
-- ARGV[1] taker   ARGV[2] batch:attempt that it was seen to hold   ARGV[3] detail
-- Reply: {documents in doubt, those that a late proof had created meanwhile, account, lane}; {} if
--   the taker does not hold that any more.
-- include: base lanes batches feed calls outcomes doubts
if call('HGET', P .. ':sending', ARGV[1]) ~= ARGV[2] then return {} end
call('HDEL', P .. ':sending', ARGV[1])
local id, attempt = string.match(ARGV[2], '^(%d+):(%d+)$')
local batch = load_batch(id)
if not is_current(batch, attempt, ARGV[1]) then return {} end
local _, sent = string.gsub(batch.s, 's', 's')
local n = leave_sending(batch, 'd')
call('HSET', batch_key(batch.id), 's', batch.s, 'tries', batch.tries + 1, 'why', ARGV[3],
  'proof', cjson.encode({ answered = false }))
record(batch, n, 'no_answer', '', ARGV[3])
tally(batch, batch.taken, n, 'no_answer', '')
if not close_if_settled(batch) then begin_doubt(batch) end
return { n, sent - n, batch.account, batch.lane }
