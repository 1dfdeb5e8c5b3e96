#!lua flags=allow-oom
-- lease_endpoint: lets one thread deliver for an endpoint, unless another one does.
-- KEYS[1] prefix
-- ARGV[1] endpoint   ARGV[2] thread that asks   ARGV[3] ms that it may take; 0 gives it up
-- Reply: {ms now, the endpoint's state as JSON, or ''}; {} if another thread has it, or it is given up
-- include: base
local leases = P .. ':webhooks:leases'
local till, holder = string.match(call('HGET', leases, ARGV[1]) or '', '^(%d+) (.*)$')
-- A clock that was set back makes no lease longer than it can be.
local most = math.max(tonumber(ARGV[3]), 120000)
if holder and holder ~= ARGV[2] and tonumber(till) > NOW and tonumber(till) <= NOW + most then
  return {}
end
if ARGV[3] == '0' then
  if holder == ARGV[2] then call('HDEL', leases, ARGV[1]) end
  return {}
end
call('HSET', leases, ARGV[1], NOW + tonumber(ARGV[3]) .. ' ' .. ARGV[2])
return { tostring(NOW), call('HGET', P .. ':webhooks', ARGV[1]) or '' }
