#!lua flags=allow-oom
-- created: the API created the documents of an attempt, as its answer says, however late it came.
-- KEYS[1] prefix
-- ARGV[1] batch   ARGV[2] attempt   ARGV[3] taker   ARGV[4] run id
-- ARGV[5] packed task ids (callspool/ledger/task_ids.py)   ARGV[6] code
-- ARGV[7] states that the take handed out   ARGV[8] seal of the batch
-- Reply: {documents created now, documents that another attempt had created already}; {-1, 0} if
--   it is known, or the batch is another one.
-- include: base lanes batches outcomes doubts words proofs
local attempt, taker, run, tasks, code = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]

local batch = load_batch(ARGV[1])
if not batch then return { -1, 0 } end
local seal = batch.seal or seal_of(call('HGET', batch_key(batch.id), 'd') or '')
if seal ~= ARGV[8] then return { -1, 0 } end
if call('HGET', P .. ':sending', taker) == batch.id .. ':' .. attempt then
  call('HDEL', P .. ':sending', taker)
end
know_run(batch, attempt, run)
call('HDEL', lane_key(batch.lane), 'refused')
local is_known = is_proven(batch, attempt, '')
local now_created, twice, sent, before
if is_current(batch, attempt, taker) then
  twice, before = ones(batch.proved or ''), batch.s
  now_created = turn(batch, 's', 'c')
  delivered(batch, before)
  sent = now_created
  call('HSET', batch_key(batch.id), 's', batch.s, 'r' .. attempt, run, 't' .. attempt, tasks)
  record(batch, now_created, 'created', code, '')
  close_if_settled(batch)
else
  local places = string.gsub(string.gsub(ARGV[7], '[^s]', '0'), 's', '1')
  sent = ones(places)
  local new
  now_created, twice, new = prove(batch, attempt, places, run, tasks, code)
  if new == 0 then return { -1, 0 } end -- told before
end
tally(batch, began(batch, attempt), sent, 'created', code)
if not is_known then count(batch.account, 'runs', 1) end
count(batch.account, 'created_twice', twice)
return { now_created, twice }
