#!lua flags=allow-oom
-- drop_consumers: removes consumers that have nothing pending, were idle and did not beat for a while.
-- Redis before 7.2 tells since when a consumer got nothing, not since when it did not ask.
-- KEYS[1] stream   KEYS[2] sorted set of consumers by their last heartbeat
-- ARGV[1] consumer group   ARGV[2] idle time at least, ms   ARGV[3] only this consumer, however
-- lately it beat ('': any)
-- Reply: how many were removed
local removed, idle, only = 0, tonumber(ARGV[2]), ARGV[3]
local TIME = redis.call('TIME')
local now = TIME[1] * 1000 + math.floor(TIME[2] / 1000)

local function has_fallen_silent(name)
  local beat = redis.call('ZSCORE', KEYS[2], name)
  return not beat or now - beat >= idle
end

for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for i = 1, #flat, 2 do consumer[flat[i]] = flat[i + 1] end
  local is_meant = only == consumer.name or only == '' and has_fallen_silent(consumer.name)
  if is_meant and consumer.pending == 0 and consumer.idle >= idle then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
    removed = removed + 1
  end
end
return removed
