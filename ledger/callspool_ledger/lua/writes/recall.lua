#!lua flags=allow-oom
-- recall: the API has documents from an attempt that Redis forgot when it lost its last writes.
-- KEYS[1] prefix
-- ARGV[1] batch   ARGV[2] attempt   ARGV[3] run id
-- ARGV[4] packed task ids (reads/entries.py)   ARGV[5] places found, a mask
-- ARGV[6] 1 if nothing more will appear in the run: it need not be read again
-- Reply: {documents created now, documents that another attempt had created already}
-- include: base lanes batches feed calls outcomes doubts words named proofs
local batch, attempt, found = load_batch(ARGV[1]), ARGV[2], ARGV[5]
if not batch then return { 0, 0 } end
if batch.phase == 'open' then -- it had been closed before it was sent
  call('HSET', lane_key(batch.lane), 'open', '')
  enqueue(batch, false)
  batch.phase = 'queued'
end
if not string.find(call('HGET', batch_key(batch.id), 'h') or '', '[' .. attempt .. ',', 1, true) then
  call('HSETNX', batch_key(batch.id), 'm' .. attempt, found)
end
if ARGV[6] == '1' then know_run(batch, attempt, ARGV[3]) end
local is_known = is_proven(batch, attempt, '')
local created, twice, new = prove(batch, attempt, found, ARGV[3], ARGV[4], 'recalled')
if new > 0 then
  if not is_known then count(batch.account, 'runs', 1) end
  count(batch.account, 'recalled', created)
  count(batch.account, 'created_twice', twice)
end
return { created, twice }
