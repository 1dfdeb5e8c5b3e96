#!lua flags=allow-oom
-- fail: an account's API failed to carry out a request. After some in a row nothing more is sent
-- but one probe at a time, until the API answers again (see `tally`, and open_gate.lua).
-- KEYS[1] prefix
-- ARGV[1] account   ARGV[2] failures in a row that close its gate   ARGV[3] reason   ARGV[4] code
-- ARGV[5] ms until the first probe, doubled each time it fails   ARGV[6] ms until a probe at most
-- ARGV[7] batch that failed, '' if nothing could be sent   ARGV[8] its space
-- Reply: failures in a row. While the space can be read, one batch that fails again and again is no
--   sign of an API that is down, and counts once.
-- include: base lanes
local by = ARGV[1] .. '|by'
local is_again = ARGV[7] ~= '' and call('HGET', P .. ':failing', by) == ARGV[7]
if is_again and call('HEXISTS', P .. ':unreadable', ARGV[1] .. '|' .. ARGV[8]) == 0
  and call('HEXISTS', P .. ':gates', 'account:' .. ARGV[1]) == 0 then
  return tonumber(call('HGET', P .. ':failing', ARGV[1]) or '0')
end
local failures = call('HINCRBY', P .. ':failing', ARGV[1], 1)
call('HSET', P .. ':failing', by, ARGV[7])
local gate = 'account:' .. ARGV[1]
local known = call('HGET', P .. ':gates', gate)
if not known and failures < tonumber(ARGV[2]) then return failures end
local state = known and cjson.decode(known) or { since = NOW, refusals = 0, down = true }
-- What was on its way when the gate closed is no news.
if not state.down or state.probe == 'none' then return failures end
state.reason, state.code, state.probe = ARGV[3], ARGV[4], 'none'
state.first, state.last = tonumber(ARGV[5]), tonumber(ARGV[6])
state.refusals = state.refusals + 1
set_gate(gate, state)
local delay = math.min(state.first * 2 ^ math.min(state.refusals - 1, 20), state.last)
call('ZADD', P .. ':due', NOW + delay, 'G' .. gate)
return failures
