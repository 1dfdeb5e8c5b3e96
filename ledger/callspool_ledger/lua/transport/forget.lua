#!lua flags=allow-oom
-- forget: removes consumers that have nothing pending and were idle for a while.
-- KEYS[1] stream
-- ARGV[1] consumer group   ARGV[2] idle time at least, ms   ARGV[3] only this consumer ('': any)
-- Reply: how many were removed
local removed = 0
for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for i = 1, #flat, 2 do consumer[flat[i]] = flat[i + 1] end
  local is_meant = ARGV[3] == '' or ARGV[3] == consumer.name
  if is_meant and consumer.pending == 0 and consumer.idle >= tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
    removed = removed + 1
  end
end
return removed
