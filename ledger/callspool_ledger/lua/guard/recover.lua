#!lua flags=allow-oom
-- recover: tells whether Redis may have forgotten calls that count for caps, and hears that all that is known
-- of them was counted anew.
-- KEYS[1] prefix of the guard
-- ARGV[1] '', or how often Redis had forgotten calls when all of them were counted
-- Reply: {how often it may have forgotten some, ms since that was noticed; -1 if all are known, ms now}
-- include: suppressed server called
local f = call('HMGET', P .. ':meta', 'longest', 'longest_till')
local longest = tonumber(f[1] or '0')
if f[2] and tonumber(f[2]) <= NOW then longest = note_longest() end
if longest == 0 then return { 0, -1, NOW } end
local epoch, unsure = see_server(longest)
if unsure and ARGV[1] == tostring(epoch) then
  call('HDEL', P .. ':meta', 'unsure')
  unsure = nil
end
return { tonumber(epoch), unsure and NOW - unsure or -1, NOW }
