#!lua flags=allow-oom
-- sweep: wakes what is due: lanes past their linger, batches after their backoff or when their cap
-- frees, gates to probe, pauses to end, created batches to close, accounts that were told to wait; and
-- wakes submitters if batches lie there and nobody takes them.
-- KEYS[1] prefix
-- ARGV[1] entries at most   ARGV[2] wake-ups at most   ARGV[3] linger, ms
-- ARGV[4] ms after which batches that still lie ready are announced again
-- ARGV[5] ms between probes of a gate: the first, doubled each time   ARGV[6] and the last
-- ARGV[7...] accounts that the caller sends for
-- Reply: {ms until the next is due, or -1; how many were due}
-- include: base lanes batches feed journal
local limit, wake_limit, linger = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local ready = 0
local ACCOUNTS = 20 -- looked after where the caller names none: a producer may name any number
local BACK = 1000 -- ms by which a clock goes back before it counts as set back
local ANNOUNCED = 4 -- wake-ups for batches that were announced before, at most

local function close_open_batch(lane)
  local f = call('HMGET', lane_key(lane), 'open', 'account')
  if not f[1] or f[1] == '' then return end
  local batch = load_batch(f[1])
  local due = tonumber(batch.o) + linger
  if due > NOW and tonumber(batch.o) <= NOW then
    call('ZADD', P .. ':due', due, 'L' .. lane)
    return
  end
  call('HSET', lane_key(lane), 'open', '')
  enqueue(batch, false)
  ready = ready + 1
end

local function end_rest_of(id)
  local batch = load_batch(id)
  if batch and batch.phase == 'resting' then
    end_rest(batch)
    ready = ready + 1
  end
end

-- Nobody has distrusted its answer.
local function end_fresh(id)
  local batch = load_batch(id)
  if not batch then call('UNLINK', payload_key(id)) end -- forgotten meanwhile
  if batch and batch.phase == 'fresh' then close_if_settled(batch) end
end

-- The gate was opened, or the pause was ended, and more lanes stood behind it than one call frees.
local function go_on_opening(gate)
  if call('HEXISTS', P .. ':pauses', gate) == 1 then return end -- and it was paused again
  ready = ready + unpark(gate, limit)
  if call('SCARD', P .. ':parked:' .. gate) > 0 then call('ZADD', P .. ':due', NOW, 'G' .. gate) end
end

-- Whether no lane stands behind a closed gate. One that no take has turned away yet, since its account
-- rests, is in the ring still, and would send without a probe if the gate were opened.
local function deserted(gate)
  if call('SCARD', P .. ':parked:' .. gate) > 0 then return false end
  local account = string.match(gate, '^account:(.*)$')
  return not account or call('EXISTS', P .. ':ring:' .. account) == 0
end

-- Lets one lane try a closed gate, and sets the time of the next try in case nobody answers.
local function probe(gate)
  local known = call('HGET', P .. ':gates', gate)
  if not known then return go_on_opening(gate) end
  local is_deserted = deserted(gate)
  -- Its lanes may wait behind a pause meanwhile.
  if is_deserted and call('EXISTS', P .. ':pauses') == 0 then
    remove_gate(gate)
    return
  end
  local state = cjson.decode(known)
  state.probe = 'ready'
  call('HSET', P .. ':gates', gate, cjson.encode(state))
  local first, last = state.first or tonumber(ARGV[5]), state.last or tonumber(ARGV[6])
  local pause = math.min(first * 2 ^ math.min(state.refusals, 20), last)
  call('ZADD', P .. ':due', NOW + pause, 'G' .. gate)
  if not is_deserted then
    unpark(gate, 1)
    ready = ready + 1
  end
end

local function end_pause(name)
  local known = call('HGET', P .. ':pauses', name)
  local pause = known and cjson.decode(known)
  if not pause or not pause.asked then return end
  local _, more = open_gate('pauses', name, limit)
  ready = ready + more
  note(0, pause.by, 'resume', pause.asked, { opened = 1, note = 'when its pause was to end' })
end

local function end_throttle(account)
  ready = ready + ready_batches(account, wake_limit)
end

-- A clock that was set back would put everything off for as long: what was left is kept, and a quiet
-- period begins anew.
local function keep_time()
  local back = tonumber(call('HGET', P .. ':meta', 'clock') or NOW) - NOW
  if back <= BACK and -back < BACK and back ~= 0 then return end
  call('HSET', P .. ':meta', 'clock', NOW)
  if back <= BACK then return end
  call('HDEL', P .. ':meta', 'announced')
  for _, key in ipairs({ P .. ':due', P .. ':proofs', P .. ':follows' }) do
    local all = call('ZRANGE', key, 0, -1, 'WITHSCORES')
    for i = 1, #all, 2 do call('ZADD', key, all[i + 1] - back, all[i]) end
  end
  for _, key in ipairs({ P .. ':throttled', P .. ':looking' }) do
    local all = call('HGETALL', key)
    for i = 1, #all, 2 do
      local till, rest = string.match(all[i + 1], '^(%d+)(.*)$')
      call('HSET', key, all[i], string.format('%d%s', till - back, rest))
    end
  end
  for _, space in ipairs(call('ZRANGE', P .. ':proofs', 0, -1)) do
    for _, id in ipairs(call('ZRANGE', P .. ':doubts:' .. space, 0, -1)) do
      if tonumber(call('HGET', batch_key(id), 'changed') or '0') > NOW then
        call('HSET', batch_key(id), 'changed', NOW)
      end
    end
  end
end

keep_time()
local visit = {
  L = close_open_batch, B = end_rest_of, C = end_rest_of, G = probe, P = end_pause, T = end_throttle,
  F = end_fresh,
}
local due = call('ZRANGEBYSCORE', P .. ':due', '-inf', NOW, 'LIMIT', 0, limit)
for _, member in ipairs(due) do
  call('ZREM', P .. ':due', member)
  visit[string.sub(member, 1, 1)](string.sub(member, 2))
end

-- A wake-up that was lost, or a worker that came after it, costs no more than this.
local function announce_again()
  if NOW - tonumber(call('HGET', P .. ':meta', 'announced') or '0') < tonumber(ARGV[4]) then return end
  local found = 0
  local accounts = {}
  for i = 7, #ARGV do accounts[#accounts + 1] = ARGV[i] end
  if #accounts == 0 then accounts = call('SRANDMEMBER', P .. ':accounts', ACCOUNTS) end
  for _, account in ipairs(accounts) do
    if tonumber(call('HGET', P .. ':throttled', account) or '0') <= NOW then
      found = found + ready_batches(account, ANNOUNCED)
    end
  end
  if found == 0 then return end
  call('HSET', P .. ':meta', 'announced', NOW)
  wake(math.min(found, ANNOUNCED), wake_limit)
end

if ready > 0 then wake(ready, wake_limit) else announce_again() end
local first = call('ZRANGE', P .. ':due', 0, 0, 'WITHSCORES')
if not first[1] then return { -1, #due } end
return { math.max(0, math.ceil(first[2] - NOW)), #due }
