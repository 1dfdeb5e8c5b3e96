#!lua flags=allow-oom
-- bury: documents that cannot be sent, with the reason; kept, so that they can be replayed. Where the
-- API has created nothing for their account since they were sent first, the fault may be the API's:
-- then they wait, their lane is parked, and it is tried now and then, for some hours.
-- KEYS[1] prefix
-- ARGV[1] batch   ARGV[2] attempt   ARGV[3] taker   ARGV[4] outcome, and ARGV[5] code, of the answer
-- ('' for documents in doubt that no answer refused)   ARGV[6] detail
-- ARGV[7] '', or for documents in doubt the ms at which the look began that found them missing
-- ARGV[8] what that look found   ARGV[9] ms that a look stays good
-- ARGV[10] ms until a parked lane is tried first ('': the documents are at fault beyond doubt)
-- ARGV[11] ms until it is tried again, at most   ARGV[12] gate that the attempt probed, or ''
-- ARGV[13] wake-ups at most
-- Reply: documents buried, or made to wait; -1 if the batch is not this attempt's any more, or if the
--   look is too old or something has changed since.
-- include: base lanes batches feed calls outcomes doubts
local PATIENCE = 21600000 -- ms after which documents are buried although nothing else was created
local batch = load_batch(ARGV[1])
local attempt = tonumber(ARGV[2])
local looked = tonumber(ARGV[7])
local n
local before = batch and batch.s

local function may_be_the_apis_fault()
  if ARGV[10] == '' then return false end
  local history = call('HGET', batch_key(batch.id), 'h') or ''
  local first = tonumber(string.match(history, '^%[%d+,(%d+),') or batch.taken)
  local worked = tonumber(call('HGET', P .. ':worked', batch.account) or '0')
  return worked < first and NOW - first < PATIENCE
end

-- Has the documents wait behind their lane's gate.
local function set_aside()
  call('HSET', batch_key(batch.id), 's', batch.s, 'why', ARGV[6])
  if close_if_settled(batch) then return end
  local gate = 'lane:' .. batch.lane
  local known = call('HGET', P .. ':gates', gate)
  local state = known and cjson.decode(known) or { since = NOW, refusals = 0 }
  state.reason, state.code, state.probe = ARGV[6], ARGV[5], 'none'
  state.refusals = state.refusals + 1
  call('ZADD', P .. ':waiting:' .. batch.account, batch.o, batch.id)
  enqueue(batch, true)
  set_gate(gate, state)
  local delay = math.min(tonumber(ARGV[10]) * 2 ^ math.min(state.refusals - 1, 20), tonumber(ARGV[11]))
  call('ZADD', P .. ':due', NOW + delay, 'G' .. gate)
end

if looked then
  if not batch or batch.attempt ~= attempt or batch.phase ~= 'doubt' then return -1 end
  if not is_fresh(batch, looked, ARGV[8], ARGV[9]) then return -1 end
  note_missed(batch)
  if may_be_the_apis_fault() then
    n = turn(batch, 'd', 'w')
    count(batch.account, 'resent', n)
    record(batch, n, 'missing', '', ARGV[6])
    end_doubt(batch)
    set_aside()
    return n
  end
  n = turn(batch, 'd', 'x')
  record(batch, n, 'missing', '', ARGV[6])
  end_doubt(batch)
else
  if not is_current(batch, attempt, ARGV[3]) then return -1 end
  if may_be_the_apis_fault() then
    n = leave_sending(batch, 'w')
    call('HDEL', P .. ':sending', ARGV[3])
    record(batch, n, ARGV[4], ARGV[5], ARGV[6])
    tally(batch, batch.taken, n, ARGV[4], ARGV[5])
    set_aside()
    return n
  end
  n = leave_sending(batch, 'x')
  call('HDEL', P .. ':sending', ARGV[3])
  record(batch, n, ARGV[4], ARGV[5], ARGV[6])
  tally(batch, batch.taken, n, ARGV[4], ARGV[5])
end
-- Several in a row, and none created between: then it is not the documents' fault.
if ARGV[4] == 'rejected' and n == 1 then call('HINCRBY', lane_key(batch.lane), 'refused', 1) end
local why = ARGV[4] == '' and 'missing' or ARGV[4] .. ' ' .. ARGV[5]
tell(batch, 'dead', turned(batch, before, 'x'), { w = why })
count(batch.account, 'died|' .. (ARGV[4] == '' and 'missing' or ARGV[5]), n)
call('HSET', batch_key(batch.id), 's', batch.s, 'phase', 'buried', 'why', ARGV[6])
if not close_if_settled(batch) then call('ZADD', P .. ':dead', NOW, batch.id) end
if ARGV[12] ~= '' then
  local _, ready = open_gate('gates', ARGV[12], 500)
  wake(ready, tonumber(ARGV[13]))
end
return n
