#!lua flags=allow-oom
-- throttle: the API asked the whole account to slow down.
-- KEYS[1] prefix
-- ARGV[1] account   ARGV[2] ms until something may be sent again
-- Reply: that time, ms of Redis' clock.
-- include: base
local known = tonumber(call('HGET', P .. ':throttled', ARGV[1]) or '0')
local till = math.max(known, NOW + tonumber(ARGV[2]))
call('HSET', P .. ':throttled', ARGV[1], till)
call('ZADD', P .. ':due', till, 'T' .. ARGV[1])
return till
