#!lua flags=allow-oom
-- open_gate: what waited behind a parked gate may be sent again, a bounded number of lanes a call;
-- the sweep frees the others.
-- KEYS[1] prefix
-- ARGV[1] gate   ARGV[2] lanes at most   ARGV[3] wake-ups at most
-- ARGV[4] 1 if only one is meant that closed because the API was down
-- Reply: lanes that are still parked there; -1 if it was closed for another reason.
-- include: base lanes
if ARGV[4] == '1' then
  local known = call('HGET', P .. ':gates', ARGV[1])
  if not known or not cjson.decode(known).down then return -1 end
end
local left, ready = open_gate('gates', ARGV[1], tonumber(ARGV[2]))
wake(ready, tonumber(ARGV[3]))
return left
