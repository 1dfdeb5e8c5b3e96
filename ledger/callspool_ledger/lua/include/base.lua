-- What every script shares: the prefix, one clock, and the words for a document's state.
local P = KEYS[1]
local call = redis.call
local TIME = call('TIME')
local NOW = TIME[1] * 1000 + math.floor(TIME[2] / 1000)

-- One letter a document in a batch's `states`. A dead document whose identity was accepted anew, or
-- that an operator dropped, becomes `X`: still dead, but settled, and never to be replayed.
local STATE = {
  w = 'waiting', s = 'sending', d = 'in_doubt', c = 'created',
  x = 'dead', X = 'dead', k = 'cancelled', e = 'expired',
}
local UNSETTLED = '[wsdx]'

local function count(account, what, by)
  if by ~= 0 then call('HINCRBY', P .. ':counts', account .. '|' .. what, by) end
end

-- Wakes up to `n` submitters, unless enough wake-ups lie there already.
local function wake(n, limit)
  local stream = P .. ':wakeups'
  local room = limit - call('XLEN', stream)
  for _ = 1, math.min(n, room) do call('XADD', stream, '*', 'w', '1') end
end
