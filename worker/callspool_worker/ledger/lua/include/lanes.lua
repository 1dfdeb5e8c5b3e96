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

-- A lane that holds nothing any more leaves no trace.
local function forget_empty_lane(lane)
  local fields = call('HMGET', lane_key(lane), 'unsettled', 'open')
  if fields[1] and tonumber(fields[1]) <= 0 and (fields[2] or '') == '' then
    call('UNLINK', lane_key(lane), queue_key(lane))
    call('SREM', P .. ':lanes', lane)
  end
end

-- The gates that a lane stands behind, widest first.
local function gates_of(lane, account, space)
  return { 'account:' .. account, 'space:' .. account .. '|' .. space, 'lane:' .. lane }
end

-- Brings lanes that waited behind a gate back into their rings; at most `limit`, tells how many.
local function unpark(gate, limit)
  local lanes = call('SPOP', P .. ':parked:' .. gate, limit)
  for _, lane in ipairs(lanes) do
    local account = call('HGET', lane_key(lane), 'account')
    if account then join_ring(lane, account) end
  end
  return #lanes
end
