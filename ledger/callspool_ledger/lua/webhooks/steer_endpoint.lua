#!lua flags=allow-oom
-- steer_endpoint: writes the state of an endpoint as an operator wants it, and notes it in the journal.
-- KEYS[1] prefix
-- ARGV[1] endpoint   ARGV[2] the state that the operator saw   ARGV[3] the new one, both as JSON; ''
--   forgets the endpoint
-- ARGV[4] who asks   ARGV[5] what for   ARGV[6] 1: what was set aside is dropped
-- Reply: 1 if it was written; 0 if the state is another one by now
-- include: base journal
local before = call('HGET', P .. ':webhooks', ARGV[1]) or ''
if before ~= ARGV[2] then return 0 end
if ARGV[3] == '' then
  call('HDEL', P .. ':webhooks', ARGV[1])
else
  call('HSET', P .. ':webhooks', ARGV[1], ARGV[3])
end
if ARGV[6] == '1' then call('DEL', P .. ':webhooks:aside:' .. ARGV[1]) end
note(0, ARGV[4], ARGV[5], '{}', {})
return 1
