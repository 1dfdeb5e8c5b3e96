-- Takes back documents of a batch that wait, at the places that `may` tells; tells how many.
local WAITS = { open = true, queued = true, resting = true }

local function cancel_waiting(batch, may)
  if not WAITS[batch.phase] then return 0 end
  local before = batch.s
  local n = turn_some(batch, 'w', 'k', may)
  tell(batch, 'cancelled', turned(batch, before, 'k'))
  if n == 0 or string.find(batch.s, 'w') then return n end
  if batch.phase == 'open' then
    call('HSET', lane_key(batch.lane), 'open', '')
    call('ZREM', P .. ':due', 'L' .. batch.lane)
  elseif batch.phase == 'resting' then
    call('ZREM', P .. ':due', 'B' .. batch.id, 'C' .. batch.id)
    call('ZREM', P .. ':capped', batch.id)
  end
  close_if_settled(batch)
  return n
end
