#!lua flags=allow-oom
-- beat: notes that a consumer lives, by Redis' clock, and drops those that are long silent.
-- KEYS[1] sorted set of consumers by their last heartbeat
-- ARGV[1] consumer   ARGV[2] ms of silence after which one is dropped
-- Reply: the time in ms
local TIME = redis.call('TIME')
local now, silence = TIME[1] * 1000 + math.floor(TIME[2] / 1000), tonumber(ARGV[2])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - silence)
-- A clock that was set back leaves heartbeats from the future.
redis.call('ZREMRANGEBYSCORE', KEYS[1], now + silence, '+inf')
return now
