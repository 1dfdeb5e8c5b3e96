-- Batches whose numbers were called often enough: they rest until they may be called again. P:capped
-- holds them by when that is; a batch's `capped` is the cap, `calls|ms|whose`.
-- Needs: lanes batches
local function set_batch_aside(batch, till, cap)
  till = math.max(till, NOW + 1000)
  call('HSET', batch_key(batch.id), 'phase', 'resting', 'due', string.format('%d', till), 'capped', cap)
  call('ZADD', P .. ':waiting:' .. batch.account, call('HGET', batch_key(batch.id), 'o'), batch.id)
  call('ZADD', P .. ':due', till, 'C' .. batch.id)
  call('ZADD', P .. ':capped', till, batch.id)
end

-- Has a batch asked about anew.
local function free_capped(batch)
  call('ZREM', P .. ':due', 'C' .. batch.id)
  end_rest(batch)
end
