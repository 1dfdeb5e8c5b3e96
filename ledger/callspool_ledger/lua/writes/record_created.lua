#!lua flags=allow-oom
-- record_created: the API created the documents of an attempt, as its answer says, however late
-- it came.
-- An answer that names a run or a task of another attempt says nothing: it belongs to another
-- request, and what this one did is in doubt. So is what other answers of the account say for a while.
-- KEYS[1] prefix
-- ARGV[1] batch   ARGV[2] attempt   ARGV[3] taker   ARGV[4] run id
-- ARGV[5] packed task ids (reads/entries.py)   ARGV[6] code
-- ARGV[7] states that the take handed out   ARGV[8] seal of the batch
-- ARGV[9] what a proof has to go by (JSON), if the answer belongs to another request
-- ARGV[10] ids of the documents that were sent, as in their JSON, a line each; '' if not known
-- Reply: {documents created now, documents that another attempt had created already}; {-1, 0} if
--   it is known, or the batch is another one; {-2, documents in doubt because of it, documents of the
--   request that was answered so before, which are in doubt again} if the answer belongs to another
--   request.
-- include: base lanes batches feed calls outcomes doubts words named proofs
local attempt, taker, run, tasks, code = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local ids = ARGV[10] or ''
local MISTAKEN = 'the answer names a run or a task that belongs to another request'
local MIXED = 'answers of this account were mixed up lately: what this one says is read back'

local batch = load_batch(ARGV[1])
if not batch then return { -1, 0 } end
local seal = batch.seal or seal_of(call('HGET', batch_key(batch.id), 'd') or '')
if seal ~= ARGV[8] then return { -1, 0 } end
if call('HGET', P .. ':sending', taker) == batch.id .. ':' .. attempt then
  call('HDEL', P .. ':sending', taker)
end

local function doubt_answer(why, others)
  -- Whose the run is, its tasks have to tell.
  call('ZREM', P .. ':runs:' .. space_of(batch), run)
  if not is_current(batch, attempt, taker) then return { -2, 0, others } end
  local n = leave_sending(batch, 'd')
  call('HSET', batch_key(batch.id), 's', batch.s, 'tries', batch.tries + 1, 'why', why,
    'proof', ARGV[9])
  record(batch, n, 'no_answer', code, why)
  tally(batch, batch.taken, n, 'no_answer', code)
  if not close_if_settled(batch) then begin_doubt(batch) end
  return { -2, n, others }
end

local first_task = pick(tasks, { 1 })
read_named({ run, first_task })
if is_anothers(attempt, run) or is_anothers(attempt, first_task) then
  note_mixed(batch.account)
  return doubt_answer(MISTAKEN, distrust(is_anothers(attempt, run) and run or first_task, code))
end
if is_mixed(batch.account) then return doubt_answer(MIXED, 0) end
name_for(batch, attempt, { run, first_task })
know_run(batch, attempt, run)
call('HDEL', lane_key(batch.lane), 'refused')
local is_known = is_proven(batch, attempt, '')
local now_created, twice, sent, before
if is_current(batch, attempt, taker) then
  twice, before, batch.unsaved = ones(batch.proved or ''), batch.s, {}
  now_created = turn(batch, 's', 'c')
  delivered(batch, before)
  local is_whole = not batch.proved and ids ~= '' and not string.find(before, '[^s]')
  begin_calls(batch, before, false, is_whole and ids)
  if is_whole and is_fed() then
    tell_ids(batch, 'created', ids, { r = run, k = tasks })
  elseif is_fed() then
    local found = string.gsub(string.gsub(before, '[^s]', '0'), 's', '1')
    local new = without(found, '\0', batch.proved or '')
    tell_created(batch, found, new, run, tasks, '\0' .. ids)
  end
  sent = now_created
  put(batch, 's', batch.s, 'r' .. attempt, run, 't' .. attempt, tasks)
  record(batch, now_created, 'created', code, '')
  if not keep_fresh(batch, ARGV[9]) then close_if_settled(batch) end
  save(batch)
else
  local places = string.gsub(string.gsub(ARGV[7], '[^s]', '0'), 's', '1')
  sent = ones(places)
  local new
  now_created, twice, new = prove(batch, attempt, places, run, tasks, code, ids)
  if new == 0 then return { -1, 0 } end -- told before
end
tally(batch, began(batch, attempt), sent, 'created', code)
if not is_known then count(batch.account, 'runs', 1) end
count(batch.account, 'created_twice', twice)
return { now_created, twice }
