#!lua flags=allow-oom
-- open_gate: what waited behind the gate may be sent again, a bounded number of lanes a call.
-- KEYS[1] prefix
-- ARGV[1] gate   ARGV[2] lanes at most   ARGV[3] wake-ups at most
-- Reply: lanes that are still parked there.
-- include: base lanes
call('HDEL', P .. ':gates', ARGV[1])
call('ZREM', P .. ':due', 'G' .. ARGV[1])
local freed = unpark(ARGV[1], tonumber(ARGV[2]))
wake(freed, tonumber(ARGV[3]))
return call('SCARD', P .. ':parked:' .. ARGV[1])
