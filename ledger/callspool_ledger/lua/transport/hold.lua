#!lua flags=allow-oom
-- hold: sets how long the entries that the consumer still owns have been idle.
-- KEYS[1] stream
-- ARGV[1] consumer group   ARGV[2] consumer   ARGV[3] idle time, ms
-- ARGV[4] deliveries that do not count after all
-- then: entry ids
-- Reply: how many of them the consumer owns
local owned = 0
for i = 5, #ARGV do
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])[1]
  if pending then
    local deliveries = math.max(0, pending[4] - tonumber(ARGV[4]))
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i],
      'IDLE', ARGV[3], 'RETRYCOUNT', deliveries, 'JUSTID')
    owned = owned + 1
  end
end
return owned
