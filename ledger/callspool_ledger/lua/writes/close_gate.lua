#!lua flags=allow-oom
-- close_gate: parks a gate: nothing behind it is sent until it opens; now and then one batch tries
-- it. What was on its way when the gate closed is refused too, and is no news.
-- KEYS[1] prefix
-- ARGV[1] gate   ARGV[2] reason   ARGV[3] code
-- ARGV[4] ms until the first probe, doubled each time it stays closed
-- ARGV[5] ms until the next probe at most
-- Reply: how often it was found closed; 0 if that is known.
-- include: base lanes
local known = call('HGET', P .. ':gates', ARGV[1])
local state = known and cjson.decode(known) or { since = NOW, refusals = 0 }
if state.probe == 'none' then return 0 end
state.reason, state.code, state.probe = ARGV[2], ARGV[3], 'none'
state.down, state.first, state.last = nil, nil, nil -- it answers, though it refuses
state.refusals = state.refusals + 1
set_gate(ARGV[1], state)
local delay = math.min(tonumber(ARGV[4]) * 2 ^ math.min(state.refusals - 1, 20), tonumber(ARGV[5]))
call('ZADD', P .. ':due', NOW + delay, 'G' .. ARGV[1])
return state.refusals
