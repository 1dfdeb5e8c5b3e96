#!lua flags=allow-oom
-- retake: hands out again what the consumer owns already.
-- KEYS[1] stream
-- ARGV[1] consumer group   ARGV[2] consumer   ARGV[3] 1 if this counts as a delivery, else 0
-- then: entry ids
-- Reply: for each entry that it still owns {id, {field, value, ...}, deliveries}
local reply = {}
for i = 4, #ARGV do
  local owned = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])[1]
  if owned then
    local deliveries = owned[4] + tonumber(ARGV[3])
    local entry = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i],
      'RETRYCOUNT', deliveries)[1]
    if entry then reply[#reply + 1] = { entry[1], entry[2], deliveries } end
  end
end
return reply
