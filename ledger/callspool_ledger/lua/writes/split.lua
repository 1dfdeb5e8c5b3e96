#!lua flags=allow-oom
-- split: the API refused a batch and created nothing of it; its halves are sent on their own, so
-- that the document which is at fault ends up alone. Where the API names it, that is at once. Without an
-- outcome nothing was sent, and some of its documents are to be held alone.
-- KEYS[1] prefix
-- ARGV[1] batch   ARGV[2] attempt   ARGV[3] taker   ARGV[4] tries of the parts   ARGV[5] outcome
-- ARGV[6] code   ARGV[7] detail   ARGV[8] wake-ups at most
-- ARGV[9] places that the API names (`,place,place,`, counted from 1), or ''
-- Reply: documents that wait in the parts; -1 if the batch is not this attempt's any more.
-- include: base generations lanes batches feed calls outcomes parts
local batch = load_batch(ARGV[1])
if not is_current(batch, ARGV[2], ARGV[3]) then return -1 end
local n = leave_sending(batch, 'w')
call('HDEL', P .. ':sending', ARGV[3])
call('HSET', batch_key(batch.id), 's', batch.s, 'why', ARGV[7])
if ARGV[5] ~= '' then
  record(batch, n, ARGV[5], ARGV[6], ARGV[7])
  call('HDEL', batch_key(batch.id), 'unlooked')
end
tally(batch, batch.taken, n, ARGV[5], ARGV[6])
if n == 0 then
  close_if_settled(batch)
  return 0
end
local size = ARGV[9] == '' and math.ceil(n / 2) or n
local parts = split_waiting(batch, 'w', size, math.huge, ARGV[4], ARGV[9])
wake(parts, tonumber(ARGV[8]))
return n
