#!lua flags=no-writes
-- metrics: what the ledger counts, and how old what waits is, at one moment. What it looks at grows
-- with accounts, scopes, spaces in doubt, batches being sent and closed gates; never with documents.
-- KEYS[1] prefix
-- ARGV[1] spaces in doubt, or with open calls, to look at, at most   ARGV[2] ms without a heartbeat
-- after which a worker counts as gone
-- Reply: {ms now, P:counts, P:submissions, P:timings, JSON of the rest (snapshot.py: `_Rest`)}
local P = KEYS[1]
local call = redis.call
local TIME = call('TIME')
local NOW = TIME[1] * 1000 + math.floor(TIME[2] / 1000)
-- include: server
local MOST_SPACES, SILENT_MS = tonumber(ARGV[1]), tonumber(ARGV[2])
local DOUBTS_A_SPACE = 5 -- the oldest; those that no look can prove take turns, so not the first alone
local LANES_AN_ACCOUNT = 20
local LOOKED_AFTER_MS = 60000 -- workers look at a space that waits for it sooner

local function pairs_of(flat)
  local at = -1
  return function()
    at = at + 2
    return flat[at], flat[at + 1]
  end
end

local function oldest_first(ages, account, ms)
  if ms and (not ages[account] or ms < ages[account]) then ages[account] = ms end
end

local function waiting_since()
  local ages = {}
  for _, account in ipairs(call('SMEMBERS', P .. ':accounts')) do
    oldest_first(ages, account, tonumber(call('ZRANGE', P .. ':waiting:' .. account, 0, 0, 'WITHSCORES')[2]))
  end
  return ages
end

local function in_doubt_since()
  local ages = {}
  for _, space in ipairs(call('ZRANGE', P .. ':proofs', 0, MOST_SPACES - 1)) do
    local account = string.match(space, '^[^|]*')
    for _, batch in ipairs(call('ZRANGE', P .. ':doubts:' .. space, 0, DOUBTS_A_SPACE - 1)) do
      oldest_first(ages, account, tonumber(call('HGET', P .. ':b' .. batch, 'doubted')))
    end
  end
  return ages
end

local function open_since()
  local ages = {}
  for _, space in ipairs(call('ZRANGE', P .. ':follows', 0, MOST_SPACES - 1)) do
    local oldest = call('ZRANGE', P .. ':opened:' .. space, 0, 0, 'WITHSCORES')
    oldest_first(ages, string.match(space, '^[^|]*'), tonumber(oldest[2]))
  end
  return ages
end

local function sending_since()
  local ages = {}
  for _, held in ipairs(call('HVALS', P .. ':sending')) do
    local f = call('HMGET', P .. ':b' .. string.match(held, '^%d+'), 'account', 'taken')
    if f[1] then oldest_first(ages, f[1], tonumber(f[2])) end
  end
  return ages
end

local function throttled_till()
  local found = {}
  for account, till in pairs_of(call('HGETALL', P .. ':throttled')) do
    if tonumber(till) > NOW then found[account] = tonumber(till) end
  end
  return found
end

local pauses, is_paused = call('HKEYS', P .. ':pauses'), {}
for _, pause in ipairs(pauses) do is_paused[pause] = true end

-- Closed gates: counted by `level|code|account`; the accounts and spaces behind them; and how many
-- lanes of each scope have one of their own.
local function gates()
  local parked, is_closed, lanes_of, has_spaces = {}, {}, {}, false
  for where, n in pairs_of(call('HGETALL', P .. ':shut')) do
    local level, code, name = string.match(where, '^(%l+)|(%d*)|(.*)$')
    local account = string.match(name, '^[^\31]*')
    if level == 'lane' then
      lanes_of[name] = (lanes_of[name] or 0) + n
    else
      is_closed[name] = true
      has_spaces = has_spaces or level ~= 'account'
    end
    if level == 'unread' then level, code = 'space', 'unread' end
    local key = level .. '|' .. code .. '|' .. account
    parked[key] = (parked[key] or 0) + n
  end
  return parked, is_closed, lanes_of, has_spaces
end

local parked, is_closed, lanes_of, has_spaces = gates()

local function state_of(account, space, campaign)
  local a, s, c = 'account=' .. account, 'space=' .. space, 'campaign=' .. campaign
  if #pauses > 0 and (is_paused.all or is_paused[a] or is_paused[s] or is_paused[c]
    or is_paused[a .. '\31' .. s] or is_paused[a .. '\31' .. c] or is_paused[s .. '\31' .. c]
    or is_paused[a .. '\31' .. s .. '\31' .. c]) then
    return 'paused'
  end
  return (is_closed[account] or is_closed[account .. '\31' .. space]) and 'parked' or 'open'
end

-- Whether a space waits to be read back and nobody looks at it: then nobody sends for its account.
local function is_forsaken(account, space)
  local named = account .. '|' .. space
  if is_closed[account] or call('HEXISTS', P .. ':gates', 'space:' .. named) == 1 then return false end
  local gate = call('HGET', P .. ':gates', 'unread:' .. named)
  if not gate or call('HEXISTS', P .. ':unreadable', named) == 1 then return false end
  local state = cjson.decode(gate)
  return not state.last and NOW - state.since > LOOKED_AFTER_MS
end

-- Since when the lane has had something that may be sent; nil if it has to wait.
local function lane_ready(lane)
  local f = call('HMGET', P .. ':l' .. lane, 'account', 'space', 'campaign', 'freed')
  if not f[1] or is_paused['lane=' .. lane] then return nil end
  local state = state_of(f[1], f[2], f[3])
  if state ~= 'open' and not (state == 'parked' and is_forsaken(f[1], f[2])) then return nil end
  if call('HEXISTS', P .. ':gates', 'lane:' .. lane) == 1 then return nil end
  local batch = call('LINDEX', P .. ':q' .. lane, 0)
  local since = batch and tonumber(call('HGET', P .. ':b' .. batch, 'ready') or '')
  return since and math.max(since, tonumber(f[4] or '0'))
end

-- Lanes take turns, so that those whose turn is next tell how long any of them waits.
local function ready_since()
  local ages = {}
  for _, account in ipairs(call('SMEMBERS', P .. ':accounts')) do
    local rests = tonumber(call('HGET', P .. ':throttled', account) or '0') > NOW
    local lanes = rests and {} or call('LRANGE', P .. ':ring:' .. account, 0, LANES_AN_ACCOUNT - 1)
    for _, lane in ipairs(lanes) do oldest_first(ages, account, lane_ready(lane)) end
  end
  return ages
end

local function parts_of(scope)
  return string.match(scope, '^([^\31]*)\31([^\31]*)\31(.*)$')
end

-- Lanes by state: scope by scope where that may matter, else account by account; then those that
-- have a gate or a pause of their own.
local function lanes(counts)
  local found, of_lanes, is_scoped = {}, {}, has_spaces
  local function add(account, state, n)
    local key = account .. '|' .. state
    found[key] = (found[key] or 0) + n
  end

  for _, pause in ipairs(pauses) do
    local lane = string.match(pause, '^lane=(.*)$')
    if lane then
      of_lanes[#of_lanes + 1] = lane
    elseif pause ~= 'all' and not string.match(pause, '^account=[^\31]*$') then
      is_scoped = true
    end
  end
  if is_scoped then
    for scope, n in pairs_of(call('HGETALL', P .. ':scopelanes')) do
      local account, space, campaign = parts_of(scope)
      add(account, state_of(account, space, campaign), tonumber(n))
    end
  else
    for name, n in pairs_of(counts) do
      local account = string.match(name, '^([^|]*)|lanes$')
      if account then add(account, state_of(account, '', ''), tonumber(n)) end
    end
  end
  for scope, n in pairs(lanes_of) do
    local account, space, campaign = parts_of(scope)
    if state_of(account, space, campaign) == 'open' then
      add(account, 'open', -n)
      add(account, 'parked', n)
    end
  end
  for _, lane in ipairs(of_lanes) do
    local f = call('HMGET', P .. ':l' .. lane, 'account', 'space', 'campaign')
    local state = f[1] and state_of(f[1], f[2], f[3])
    if state == 'open' and call('HEXISTS', P .. ':gates', 'lane:' .. lane) == 1 then state = 'parked' end
    if state and state ~= 'paused' then
      add(f[1], state, -1)
      add(f[1], 'paused', 1)
    end
  end
  return found
end

-- Lanes that wait because of what was asked for by campaign, by account and reason; and how old the
-- oldest of their tables is, in ms, 0 where there is none.
local closed, oldest_table = {}, 0

-- Documents that wait, by account and reason; of many lanes or batches they are reckoned by some.
local waits, LOOKED_AT = {}, 200

local function add_waiting(account, reason, documents)
  local key = account .. '|' .. reason
  waits[key] = (waits[key] or 0) + documents
end

local function count_waiting(reason, gate)
  local key = P .. ':parked:' .. gate
  local lanes = call('SRANDMEMBER', key, LOOKED_AT)
  local share = #lanes < LOOKED_AT and 1 or call('SCARD', key) / #lanes
  for _, lane in ipairs(lanes) do
    local f = call('HMGET', P .. ':l' .. lane, 'account', 'waiting')
    if f[1] then add_waiting(f[1], reason, tonumber(f[2]) * share) end
  end
end

local function count_closed(reason, name)
  local lanes = call('SCARD', P .. ':parked:' .. reason .. ':' .. name)
  if lanes == 0 then return end
  local key = string.match(name, '^[^\31]*') .. '|' .. reason
  closed[key] = (closed[key] or 0) + lanes
  count_waiting(reason == 'unsorted' and 'hours' or reason, reason .. ':' .. name)
end

local function count_capped()
  local batches = call('ZRANGE', P .. ':capped', 0, LOOKED_AT - 1)
  local share = #batches < LOOKED_AT and 1 or call('ZCARD', P .. ':capped') / #batches
  for _, id in ipairs(batches) do
    local f = call('HMGET', P .. ':b' .. id, 'account', 's')
    if f[1] then add_waiting(f[1], 'cap', select(2, string.gsub(f[2], 'w', 'w')) * share) end
  end
end

local function waiting_documents()
  for _, pause in ipairs(pauses) do count_waiting('pause', pause) end
  for i, gate in ipairs(call('HKEYS', P .. ':gates')) do
    if i > LOOKED_AT then break end
    count_waiting('gate', gate)
  end
  count_capped()
  return next(waits) and waits or nil
end

local function look_at_campaigns(found)
  if call('EXISTS', P .. ':campaigns') == 0 then return found end
  for _, name in ipairs(call('HKEYS', P .. ':campaigns')) do
    for _, reason in ipairs({ 'starts', 'unsorted', 'pace' }) do count_closed(reason, name) end
  end
  for name, written in pairs_of(call('HGETALL', P .. ':hours')) do
    count_closed('hours', name)
    oldest_table = math.max(oldest_table, NOW - tonumber(string.match(written, '^%d+ (%d+) ')))
  end
  for key, lanes in pairs(closed) do
    local account = string.match(key, '^[^|]*')
    local n = math.min(lanes, found[account .. '|open'] or 0)
    found[account .. '|open'] = (found[account .. '|open'] or 0) - n
    found[account .. '|closed'] = (found[account .. '|closed'] or 0) + n
  end
  return found
end

local function ms_of(id)
  return id and tonumber(string.match(id, '^%d+')) or 0
end

-- Accepted messages are gone. What was handed out comes first: its id is known without its content.
local function oldest_spooled()
  local stream = P .. ':requests'
  if call('XLEN', stream) == 0 then return 0 end
  local pending = redis.pcall('XPENDING', stream, 'workers')
  if not pending.err and pending[2] then return ms_of(pending[2]) end
  local first = call('XRANGE', stream, '-', '+', 'COUNT', 1)
  return first[1] and ms_of(first[1][1]) or 0
end

local function workers()
  return call('ZRANGEBYSCORE', P .. ':alive', NOW - SILENT_MS, NOW + SILENT_MS)
end

local counts = call('HGETALL', P .. ':counts')
local due = call('ZRANGE', P .. ':due', 0, 0, 'WITHSCORES')
local alive = workers()
return {
  tostring(NOW), counts, call('HGETALL', P .. ':submissions'), call('HGETALL', P .. ':timings'),
  cjson.encode({
    waiting = waiting_since(), ready = ready_since(), in_doubt = in_doubt_since(),
    sending = sending_since(), open = open_since(), throttled = throttled_till(),
    lanes = look_at_campaigns(lanes(counts)), parked = parked,
    closed = next(closed) and closed or nil, waits = waiting_documents(), oldest_table = oldest_table,
    pauses = #pauses > 0 and pauses or nil, workers = #alive > 0 and alive or nil,
    spooled = call('XLEN', P .. ':requests'), oldest_spooled = oldest_spooled(),
    cut_off = is_alone_too_long(last_touch(call('INFO', 'replication'), true)),
    unreadable = call('XLEN', P .. ':requests:dead'), due = tonumber(due[2] or 0),
  }),
}
