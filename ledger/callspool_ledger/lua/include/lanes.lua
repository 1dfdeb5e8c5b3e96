-- Lanes take turns: a lane stands in its account's ring exactly once while it has closed batches.
local function lane_key(lane)
  return P .. ':l' .. lane
end

local function queue_key(lane)
  return P .. ':q' .. lane
end

local function join_ring(lane, account)
  if call('HGET', lane_key(lane), 'ring') ~= '1' then
    call('HSET', lane_key(lane), 'ring', '1')
    call('RPUSH', P .. ':ring:' .. account, lane)
  end
end

-- The gates that a worker may park before a lane, widest first; `unread` is closed after Redis
-- restarted, until the space was read back (epochs.lua).
local function gates_of(lane, account, space)
  local named = account .. '|' .. space
  return { 'account:' .. account, 'unread:' .. named, 'space:' .. named, 'lane:' .. lane }
end

-- The lane of which this one holds the documents of one class of zones: `lane-class`.
local function whole_lane(lane)
  return string.match(lane, '^[^-]*')
end

-- What an operator may have paused before a lane, widest first: the names of selectors
-- (selectors.py).
local function pauses_of(lane, account, space, campaign)
  local a, s, c = 'account=' .. account, 'space=' .. space, 'campaign=' .. campaign
  local a_s, a_c, s_c = a .. '\31' .. s, a .. '\31' .. c, s .. '\31' .. c
  return { 'all', a, s, c, a_s, a_c, s_c, a_s .. '\31' .. c, 'lane=' .. lane, 'lane=' .. whole_lane(lane) }
end

-- What a campaign's record may have a lane wait behind (campaigns.lua).
local function bars_of(account, campaign, zones)
  local key = account .. '\31' .. campaign
  return { 'starts:' .. key, 'unsorted:' .. key, 'pace:' .. key, 'hours:' .. key .. '\31' .. (zones or '') }
end

-- How many lanes an account and a scope have; P:scopelanes joins the parts of a scope by U+001F.
local function count_lanes(account, space, campaign, by)
  local scope = account .. '\31' .. space .. '\31' .. campaign
  count(account, 'lanes', by)
  if call('HINCRBY', P .. ':scopelanes', scope, by) <= 0 then
    call('HDEL', P .. ':scopelanes', scope)
  end
end

-- P:shut counts closed gates by `level|code|account`, then by U+001F the space of a `space` or an
-- `unread`, and space and campaign of a `lane`. A gate's state says where it is `counted`, which
-- that of a lane is only while there is such a lane.
local function count_gate(counted, by)
  if counted and call('HINCRBY', P .. ':shut', counted, by) <= 0 then call('HDEL', P .. ':shut', counted) end
end

local function where_counted(gate, code)
  local level, name = string.match(gate, '^(%l+):(.*)$')
  if level == 'lane' then
    local f = call('HMGET', lane_key(name), 'account', 'space', 'campaign')
    if not f[1] then return nil end
    name = f[1] .. '\31' .. f[2] .. '\31' .. f[3]
  else
    name = string.gsub(name, '|', '\31', 1)
  end
  return level .. '|' .. code .. '|' .. name
end

local function set_gate(gate, state)
  local counted = where_counted(gate, state.code or '')
  if state.counted ~= counted then
    count_gate(state.counted, -1)
    count_gate(counted, 1)
    state.counted = counted
  end
  call('HSET', P .. ':gates', gate, cjson.encode(state))
end

local function remove_gate(gate)
  local known = call('HGET', P .. ':gates', gate)
  if not known then return end
  count_gate(cjson.decode(known).counted, -1)
  call('HDEL', P .. ':gates', gate)
end

-- A lane has come, or is gone, and its own gate may be closed.
local function recount_gate_of(lane)
  local known = call('HGET', P .. ':gates', 'lane:' .. lane)
  if known then set_gate('lane:' .. lane, cjson.decode(known)) end
end

-- A lane that holds nothing any more leaves no trace.
local function forget_empty_lane(lane)
  local f = call('HMGET', lane_key(lane), 'unsettled', 'open', 'ring', 'gated', 'account', 'space',
    'campaign', 'zones', 'fresh')
  if not f[1] or tonumber(f[1]) > 0 or f[2] ~= '' or tonumber(f[9] or '0') > 0 then return end
  call('UNLINK', lane_key(lane), queue_key(lane))
  call('SREM', P .. ':lanes', lane)
  count_lanes(f[5], f[6], f[7], -1)
  recount_gate_of(lane)
  if f[3] == '1' then call('LREM', P .. ':ring:' .. f[5], 1, lane) end
  if f[4] then
    for _, gate in ipairs(gates_of(lane, f[5], f[6])) do call('SREM', P .. ':parked:' .. gate, lane) end
    for _, pause in ipairs(pauses_of(lane, f[5], f[6], f[7])) do
      call('SREM', P .. ':parked:' .. pause, lane)
    end
    for _, bar in ipairs(bars_of(f[5], f[7], f[8])) do call('SREM', P .. ':parked:' .. bar, lane) end
    call('SREM', P .. ':unsorted', lane)
  end
end

-- Has a lane wait behind a closed gate, or a pause.
local function park(lane, gate)
  call('SADD', P .. ':parked:' .. gate, lane)
  call('HSET', lane_key(lane), 'gated', '1')
end

-- Brings lanes that waited behind a gate back into their rings, at most `limit`; tells how many
-- batches they have ready.
local function unpark(gate, limit)
  local ready = 0
  for _, lane in ipairs(call('SPOP', P .. ':parked:' .. gate, limit)) do
    local account = call('HGET', lane_key(lane), 'account')
    if account then
      call('HSET', lane_key(lane), 'freed', NOW)
      join_ring(lane, account)
      ready = ready + call('LLEN', queue_key(lane))
    end
  end
  return ready
end

-- Opens a gate ('gates') or ends a pause ('pauses'): at most `limit` lanes are free at once, the
-- sweep frees the others. Tells how many are left, and how many batches are ready.
local function open_gate(kind, gate, limit)
  local unread = string.match(gate, '^unread:(.*)$')
  if unread then call('HSET', P .. ':read', unread, NOW) end
  if kind == 'gates' then
    remove_gate(gate)
  else
    call('HDEL', P .. ':' .. kind, gate)
    call('ZREM', P .. ':due', 'P' .. gate)
  end
  local ready, left = unpark(gate, limit), call('SCARD', P .. ':parked:' .. gate)
  if left > 0 then
    call('ZADD', P .. ':due', NOW, 'G' .. gate)
  else
    call('ZREM', P .. ':due', 'G' .. gate)
  end
  return left, ready
end

-- How many batches an account has ready to be taken, counted up to about `most`.
local function ready_batches(account, most)
  local found = 0
  for _, lane in ipairs(call('LRANGE', P .. ':ring:' .. account, 0, most - 1)) do
    if found >= most then break end
    found = found + call('LLEN', queue_key(lane))
  end
  return found
end
