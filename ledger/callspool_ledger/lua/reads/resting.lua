#!lua flags=no-writes
-- resting: batches that wait until a time, which stand in no lane's queue, a bounded piece a call.
-- KEYS[1] prefix
-- ARGV[1] cursor, 0 at first   ARGV[2] entries to look at, about
-- Reply: {next cursor, 0 at the end; JSON array of [lane, ms when the batch was opened]}
local P = KEYS[1]
local call = redis.call
local found = call('ZSCAN', P .. ':due', ARGV[1], 'MATCH', '[BC]*', 'COUNT', ARGV[2])
local rows = {}
for i = 1, #found[2], 2 do
  local f = call('HMGET', P .. ':b' .. string.sub(found[2][i], 2), 'lane', 'o', 'phase')
  if f[3] == 'resting' then rows[#rows + 1] = { f[1], tonumber(f[2]) } end
end
return { found[1], #rows > 0 and cjson.encode(rows) or '[]' }
