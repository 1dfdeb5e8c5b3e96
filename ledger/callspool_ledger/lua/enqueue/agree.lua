#!lua flags=allow-oom
-- agree: returns how many partitions the ledger has; the first caller decides it.
-- KEYS[1] hash of counts, of the first partition
-- ARGV[1] partitions that the asker knows of
-- Reply: partitions of the ledger
local known = redis.call('HMGET', KEYS[1], 'partitions')[1]
if not known then known = redis.call('HINCRBY', KEYS[1], 'partitions', ARGV[1]) end
return tonumber(known)
