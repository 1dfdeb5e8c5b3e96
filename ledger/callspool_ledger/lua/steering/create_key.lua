#!lua flags=allow-oom
-- create_key: keeps a key of the HTTP intake, and notes it in the journal.
-- KEYS[1] prefix
-- ARGV[1] name of the key   ARGV[2] digest of its secret   ARGV[3] the key's record as JSON
-- ARGV[4] who asks   ARGV[5] what the key is bound to, as JSON, for the journal
-- ARGV[6] keys that there may be, at most
-- Reply: 1 if it was created; 0 if there is a key of that name; -1 if there are too many keys
-- include: base journal
local names, digests = P .. ':access', P .. ':access:digests'
if call('HEXISTS', names, ARGV[1]) == 1 then return 0 end
if call('HLEN', names) >= tonumber(ARGV[6]) then return -1 end
call('HSET', names, ARGV[1], ARGV[3])
call('HSET', digests, ARGV[2], ARGV[1])
note(0, ARGV[4], 'keys create ' .. ARGV[1], ARGV[5], {})
return 1
