#!lua flags=allow-oom
-- revoke_key: ends a key of the HTTP intake at once, and notes it in the journal.
-- KEYS[1] prefix
-- ARGV[1] name of the key   ARGV[2] who asks
-- Reply: 1 if it was revoked; 0 if there is no such key
-- include: base journal
local names = P .. ':access'
local record = call('HGET', names, ARGV[1])
if not record then return 0 end
call('HDEL', names, ARGV[1])
call('HDEL', P .. ':access:digests', cjson.decode(record).digest)
call('HDEL', P .. ':access:used', ARGV[1] .. '|minute', ARGV[1] .. '|day')
note(0, ARGV[2], 'keys revoke ' .. ARGV[1], '{}', {})
return 1
