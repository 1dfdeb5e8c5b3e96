-- Needs: base, or suppressed
-- The process that runs this script, and the history of data that it has. A replica that was promoted
-- has another history than its primary, and so has a server that took over another one's data.
-- A server that became a replica for a moment and is a primary again goes on with its own history under
-- a new name: the third value is the name that this history had before.
local function this_server()
  local info = call('INFO', 'server', 'replication')
  local function field(name)
    local _, last = string.find(info, name .. ':', 1, true)
    return last and string.match(info, '^%x+', last + 1) or ''
  end
  return field('run_id'), field('master_replid'), field('master_replid2'), info
end

-- Two primaries at a time are bounded where Redis has replicas: P:meta `replica_at` is when one of them was
-- in touch last, and `alone` for how many ms the primary gives out takes without one.

-- When a replica was in touch last, by INFO; 0 if none is. Only one in step tells it at first: what copies
-- the data alone, such as `redis-cli --rdb`, is none. A replica says once a second that it lives.
local function last_touch(info, had_replica)
  local last = 0
  for port, state, lag in string.gmatch(info, 'slave%d+:[^\r]*port=(%d+),state=([%l_]+)[^\r]*lag=(%d+)') do
    if port ~= '0' and (had_replica or state == 'online') then
      local silent = state == 'online' and math.max(0, tonumber(lag) - 1) * 1000 or 0
      last = math.max(last, NOW - silent)
    end
  end
  return last
end

-- Whether this server had replicas, and has been without any for so long that one may be a primary now.
local function is_alone_too_long(last)
  local f = call('HMGET', P .. ':meta', 'replica_at', 'alone')
  return f[1] and NOW - math.max(tonumber(f[1]), last) > tonumber(f[2] or '0') or false
end
