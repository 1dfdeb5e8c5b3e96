#!lua flags=allow-oom
-- doubt: an attempt was, or may have been, sent, and what became of it is not known.
-- KEYS[1] prefix
-- ARGV[1] batch   ARGV[2] attempt   ARGV[3] taker   ARGV[4] outcome   ARGV[5] code
-- ARGV[6] detail   ARGV[7] what a proof has to go by (JSON)
-- ARGV[8] `attempt ms marked` of an earlier attempt, when it began, and 1 if its documents carry its mark, that
-- is in doubt in its place: of this one nothing was sent; or ''
-- Reply: documents in doubt; -1 if the batch is not this attempt's any more.
-- include: base lanes batches feed calls outcomes doubts
local batch = load_batch(ARGV[1])
if not is_current(batch, ARGV[2], ARGV[3]) then return -1 end
local n = leave_sending(batch, 'd')
if ARGV[8] ~= '' then
  local attempt, taken, marked = string.match(ARGV[8], '^(%d+) (%d+) ([01])$')
  batch.attempt, batch.taken = tonumber(attempt), taken
  call('HSET', batch_key(batch.id), 'attempt', attempt, 'taken', taken, 'marked', marked)
  call('HDEL', batch_key(batch.id), 'missed') -- it may have called them after all: its calls count
end
call('HDEL', P .. ':sending', ARGV[3])
call('HSET', batch_key(batch.id), 's', batch.s, 'tries', batch.tries + 1, 'why', ARGV[6],
  'proof', ARGV[7])
call('HDEL', batch_key(batch.id), 'unlooked')
record(batch, n, ARGV[4], ARGV[5], ARGV[6])
if ARGV[8] == '' then tally(batch, batch.taken, n, ARGV[4], ARGV[5]) end
if not close_if_settled(batch) then begin_doubt(batch) end
return n
