#!lua flags=allow-oom
-- set_aside: moves an entry, whole, to the dead stream; its own fields come first, then why and when.
-- KEYS[1] stream   KEYS[2] dead stream
-- ARGV[1] consumer group   ARGV[2] consumer   ARGV[3] entry id   ARGV[4] reason
-- ARGV[5] dead entries to keep, about; 0 keeps all
-- Reply: 1 if it was moved, 0 if the consumer does not own it any more
local MOST_VALUES = 6000 -- Lua passes no more than 8000 values to a command

if not redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2])[1] then return 0 end
local entry = redis.call('XRANGE', KEYS[1], ARGV[3], ARGV[3])[1]
if entry then
  local fields, now = entry[2], redis.call('TIME')
  if #fields > MOST_VALUES then fields = { 'packed', cmsgpack.pack(fields) } end
  for _, value in ipairs({ 'dead_id', entry[1], 'dead_reason', ARGV[4], 'dead_at', now[1] }) do
    fields[#fields + 1] = value
  end
  if ARGV[5] == '0' then
    redis.call('XADD', KEYS[2], '*', unpack(fields))
  else
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[5], '*', unpack(fields))
  end
end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
redis.call('XDEL', KEYS[1], ARGV[3])
return entry and 1 or 0
