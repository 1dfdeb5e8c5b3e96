-- What every script shares: the prefix, one clock, and the words for a document's state.
local P = KEYS[1]
local call = redis.call

-- The last key of a call may name the ledger that its caller opened, P:ledger:<id> (there is no such
-- key). Nothing is done where the ledger has gone, and another one been begun: the caller's batches
-- and attempts mean nothing in it.
local named_ledger = #KEYS > 1 and string.match(KEYS[#KEYS], ':ledger:(%x+)$')
if named_ledger and call('HGET', P .. ':meta', 'id') ~= named_ledger then
  return redis.error_reply('OTHERLEDGER the ledger ' .. named_ledger .. ' is not there any more')
end

local TIME = call('TIME')
local NOW = TIME[1] * 1000 + math.floor(TIME[2] / 1000)

-- One letter a document in a batch's `states`. A dead document whose identity was accepted anew, or
-- that an operator dropped, becomes `X`: still dead, but settled, and never to be replayed. `K` is
-- cancelled because a list says that the number must not be called, or it is one that an operator
-- cancelled and allowed again: it may be accepted anew, as `k` may not.
local STATE = {
  w = 'waiting', s = 'sending', d = 'in_doubt', c = 'created',
  x = 'dead', X = 'dead', k = 'cancelled', K = 'cancelled', e = 'expired',
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
