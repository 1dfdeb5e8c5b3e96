#!lua flags=allow-oom
-- end_following: a pass over the calls of a space is over; sets when the next one is due.
-- KEYS[1] prefix
-- ARGV[1] follower   ARGV[2] space   ARGV[3] ms until the next pass
-- ARGV[4] ms until the next pass at least
-- ARGV[5...] for each code that reads were answered with: the code, how many
-- Reply: 1; 0 if another one looks at it meanwhile.
-- include: base
local account = string.match(ARGV[2], '^[^|]*')
for i = 5, #ARGV, 2 do count(account, 'looked|' .. ARGV[i], tonumber(ARGV[i + 1])) end
local looker = string.match(call('HGET', P .. ':looking', ARGV[2]) or '', '^%d+ (.*)$')
if looker ~= ARGV[1] then return 0 end
call('HDEL', P .. ':looking', ARGV[2])
if call('EXISTS', P .. ':calls:' .. ARGV[2], P .. ':later:' .. ARGV[2]) == 0 then
  call('ZREM', P .. ':follows', ARGV[2])
  call('HDEL', P .. ':searched', ARGV[2])
  return 1
end
-- Batches with a time of their own are looked at then; those that had no turn yet soon.
local first = call('ZRANGE', P .. ':later:' .. ARGV[2], 0, 0, 'WITHSCORES')
local due = first[2] and math.max(tonumber(first[2]), NOW + tonumber(ARGV[4])) or math.huge
call('ZADD', P .. ':follows', math.min(NOW + tonumber(ARGV[3]), due), ARGV[2])
return 1
