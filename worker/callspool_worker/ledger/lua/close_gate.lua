#!lua flags=allow-oom
-- close_gate: nothing behind this gate is sent until it opens; now and then one batch tries it.
-- What was on its way when the gate closed is refused too, and is no news; and what an operator
-- paused stays paused.
-- KEYS[1] prefix
-- ARGV[1] gate   ARGV[2] parked or paused   ARGV[3] reason   ARGV[4] code
-- ARGV[5] ms until the first probe (0: none), doubled each time it stays closed
-- ARGV[6] ms until the next probe at most
-- Reply: how often it was found closed.
-- include: base
local known = call('HGET', P .. ':gates', ARGV[1])
local state = known and cjson.decode(known) or { since = NOW, refusals = 0 }
if ARGV[2] == 'parked' and (state.kind == 'paused' or state.probe == 'none') then
  return state.refusals
end
state.kind, state.reason, state.code, state.probe = ARGV[2], ARGV[3], ARGV[4], 'none'
state.refusals = state.refusals + 1
call('HSET', P .. ':gates', ARGV[1], cjson.encode(state))
local delay = math.min(tonumber(ARGV[5]) * 2 ^ math.min(state.refusals - 1, 20), tonumber(ARGV[6]))
if delay > 0 then
  call('ZADD', P .. ':due', NOW + delay, 'G' .. ARGV[1])
else
  call('ZREM', P .. ':due', 'G' .. ARGV[1])
end
return state.refusals
