#!lua flags=allow-oom
-- record_proven: documents of an attempt were found at the API.
-- KEYS[1] prefix
-- ARGV[1] batch   ARGV[2] attempt   ARGV[3] seal   ARGV[4] run id
-- ARGV[5] packed task ids (reads/entries.py)   ARGV[6] places found, a mask
-- ARGV[7] 1 if the run is to be claimed: nothing in it says whose it is
-- Reply: {documents created now, documents that another attempt had created already}; {-1, 0} if
--   the run belongs to another attempt.
-- include: base lanes batches feed calls outcomes doubts words named proofs
local batch, attempt, run = load_batch(ARGV[1]), ARGV[2], ARGV[4]
if not batch then return { 0, 0 } end
local seal = batch.seal or seal_of(call('HGET', batch_key(batch.id), 'd') or '')
if seal ~= ARGV[3] then return { 0, 0 } end
if ARGV[7] == '1' and call('HGET', batch_key(batch.id), 'r' .. attempt) ~= run
  and call('ZSCORE', P .. ':runs:' .. space_of(batch), run) then
  return { -1, 0 }
end
if ARGV[7] ~= '1' and is_anothers(attempt, run) then
  note_mixed(batch.account)
  distrust(run, 'proven')
end
know_run(batch, attempt, run)
local is_known = is_proven(batch, attempt, '')
local created, twice, new = prove(batch, attempt, ARGV[6], run, ARGV[5], 'proven')
if new > 0 then
  if not is_known then count(batch.account, 'runs', 1) end
  count(batch.account, 'proven', created)
  count(batch.account, 'created_twice', twice)
end
return { created, twice }
