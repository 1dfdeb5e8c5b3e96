#!lua
-- floor: claims the identities of one batch and removes its message; nothing else is kept.
-- KEYS[1] stream   ARGV[1] consumer group   ARGV[2] entry id   ARGV[3] batch   ARGV[4] digests
-- Reply: identities that were new
local call, sub, digests = redis.call, string.sub, ARGV[4]
local first, new = tonumber(ARGV[3]) * 1024, 0
for at = 1, #digests, 12 do
  new = new + call('HSETNX', 'floor:' .. sub(digests, at, at + 1), sub(digests, at + 2, at + 11),
    first + (at - 1) / 12)
end
call('XACK', KEYS[1], ARGV[1], ARGV[2])
call('XDEL', KEYS[1], ARGV[2])
return new
