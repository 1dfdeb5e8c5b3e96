#!lua flags=allow-oom
-- record_delivery: what became of a POST to an endpoint: its new state, with the position in the feed,
-- and the counters, in one step. Nothing is written where an operator changed the state meanwhile.
-- KEYS[1] prefix
-- ARGV[1] endpoint   ARGV[2] thread that delivers   ARGV[3] ms that it may take for the next step
-- ARGV[4] the state that it went by   ARGV[5] the new one, both as JSON
-- ARGV[6] an event that is set aside, as JSON, or ''   ARGV[7] events that are kept so, at most
-- ARGV[8...] pairs: what is counted, by how much
-- Reply: 1 if it was written; 0 if another thread delivers by now, or the state is another one
-- include: base
local leases = P .. ':webhooks:leases'
local holder = string.match(call('HGET', leases, ARGV[1]) or '', '^%d+ (.*)$')
local before = call('HGET', P .. ':webhooks', ARGV[1]) or ''
if holder ~= ARGV[2] or before ~= ARGV[4] then return 0 end
call('HSET', leases, ARGV[1], NOW + tonumber(ARGV[3]) .. ' ' .. ARGV[2])
call('HSET', P .. ':webhooks', ARGV[1], ARGV[5])
if ARGV[6] ~= '' then
  local aside = P .. ':webhooks:aside:' .. ARGV[1]
  call('RPUSH', aside, ARGV[6])
  call('LTRIM', aside, -tonumber(ARGV[7]), -1)
end
for i = 8, #ARGV, 2 do
  call('HINCRBY', P .. ':webhooks:counts', ARGV[1] .. '|' .. ARGV[i], ARGV[i + 1])
end
return 1
