-- A batch of dead documents goes back into its lane, as if it had never been tried.
local function send_anew(batch)
  call('HSET', batch_key(batch.id), 'tries', 0)
  call('HDEL', lane_key(batch.lane), 'refused')
  call('ZREM', P .. ':dead', batch.id)
  call('ZADD', P .. ':waiting:' .. batch.account, batch.o, batch.id)
  enqueue(batch, false)
end

local function replay_all(batch)
  local n = turn(batch, 'x', 'w')
  if n == 0 then return 0 end
  count(batch.account, 'replayed', n)
  call('HSET', batch_key(batch.id), 's', batch.s)
  send_anew(batch)
  return n
end
