-- After Redis restarted or failed over, its last writes may be gone: takes among them, so that what was
-- sent looks as if it waited. P:meta `server` is the server that answered last, `epoch` counts those
-- that came after the first, `restarted` when the last one was noticed. The first one is known from
-- the ledger's beginning: the very first take may be forgotten, too. Every space that held
-- documents then waits behind a gate `unread` until it was read back; P:read holds those that were.
-- Needs: lanes
local FORGOTTEN_MS = 60000 -- how long before the last known take a forgotten one may have been
local FORGOTTEN_SPACES_MS = 600000 -- how long after a restart a forgotten message may come again
local ATTEMPTS_SKIPPED = 1000000 -- numbers that forgotten takes may have used

-- Nothing of the space is sent until it was read back from that moment (ms) on.
local function close_until_read(space, from)
  local gate = 'unread:' .. space
  if call('HEXISTS', P .. ':gates', gate) == 1 then return end
  set_gate(gate, {
    since = NOW, refusals = 0, probe = 'none', code = '', from = from,
    reason = 'Redis restarted: what was sent just before is read back first',
  })
  call('ZADD', P .. ':proofs', 'LT', NOW, space)
end

local function begin_epoch(last_take)
  local epoch = call('HINCRBY', P .. ':meta', 'epoch', 1)
  local from = tonumber(last_take or NOW) - FORGOTTEN_MS
  call('HSET', P .. ':meta', 'restarted', NOW, 'from', from)
  call('HINCRBY', P .. ':meta', 'attempt', ATTEMPTS_SKIPPED)
  call('UNLINK', P .. ':read', P .. ':looking') -- a look that Redis broke off holds up nobody
  for _, lane in ipairs(call('SMEMBERS', P .. ':lanes')) do
    local f = call('HMGET', lane_key(lane), 'account', 'space')
    close_until_read(f[1] .. '|' .. f[2], from)
  end
  return epoch
end

local function this_server()
  return string.match(call('INFO', 'server'), 'run_id:(%x+)') or ''
end

-- The epoch of the server that runs this script. With `durable` takes none is ever forgotten.
local function current_epoch(durable)
  local server = this_server()
  local f = call('HMGET', P .. ':meta', 'server', 'epoch', 'taken')
  if f[1] == server then return tonumber(f[2] or '0') end
  call('HSET', P .. ':meta', 'server', server)
  if durable then return tonumber(f[2] or '0') end
  return begin_epoch(f[3])
end

-- A space that is heard of soon after a restart may be one that the restart made the ledger forget.
local function read_back_if_new(account, space)
  local f = call('HMGET', P .. ':meta', 'restarted', 'from')
  if NOW - tonumber(f[1] or '0') >= FORGOTTEN_SPACES_MS then return end
  local named = account .. '|' .. space
  if call('HEXISTS', P .. ':read', named) == 0 then close_until_read(named, tonumber(f[2])) end
end
