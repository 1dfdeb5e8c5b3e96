#!lua flags=no-writes
-- oldest: when the batch was opened that waits longest in each lane's queue, or its open batch.
-- KEYS[1] prefix
-- ARGV[1] lanes, JSON array
-- Reply: JSON array of ms, 0 where none waits there
local P = KEYS[1]
local call = redis.call

local function opened(batch)
  return batch and batch ~= '' and tonumber(call('HGET', P .. ':b' .. batch, 'o')) or nil
end

local found = {}
for i, lane in ipairs(cjson.decode(ARGV[1])) do
  found[i] = opened(call('LINDEX', P .. ':q' .. lane, 0))
    or opened(call('HGET', P .. ':l' .. lane, 'open')) or 0
end
return cjson.encode(found)
