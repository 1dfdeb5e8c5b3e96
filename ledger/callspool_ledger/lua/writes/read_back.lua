#!lua flags=allow-oom
-- read_back: a space was read back after Redis restarted, and may send again; a bounded number of
-- lanes at once, the sweep frees the others.
-- KEYS[1] prefix
-- ARGV[1] space   ARGV[2] the restart that was read back, by its number
-- ARGV[3] lanes at most   ARGV[4] wake-ups at most
-- Reply: 1; 0 if Redis restarted once more meanwhile.
-- include: base lanes
if (call('HGET', P .. ':meta', 'epoch') or '0') ~= ARGV[2] then return 0 end
local _, ready = open_gate('gates', 'unread:' .. ARGV[1], tonumber(ARGV[3]))
wake(ready, tonumber(ARGV[4]))
return 1
