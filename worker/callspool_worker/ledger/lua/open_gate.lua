#!lua flags=allow-oom
-- open_gate: what waited behind the gate may be sent again, a bounded number of lanes a call; the
-- sweep frees the others.
-- KEYS[1] prefix
-- ARGV[1] gate   ARGV[2] lanes at most   ARGV[3] wake-ups at most
-- ARGV[4] 1 if it may be opened although an operator paused it
-- Reply: lanes that are still parked there.
-- include: base lanes
local gate, known = ARGV[1], call('HGET', P .. ':gates', ARGV[1])
local is_paused = known and cjson.decode(known).kind == 'paused'
if is_paused and ARGV[4] ~= '1' then return call('SCARD', P .. ':parked:' .. gate) end
call('HDEL', P .. ':gates', gate)
wake(unpark(gate, tonumber(ARGV[2])), tonumber(ARGV[3]))
local left = call('SCARD', P .. ':parked:' .. gate)
if left > 0 then
  call('ZADD', P .. ':due', NOW, 'G' .. gate)
else
  call('ZREM', P .. ':due', 'G' .. gate)
end
return left
