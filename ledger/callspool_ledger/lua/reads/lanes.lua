#!lua flags=no-writes
-- lanes: what is in the lanes, a bounded piece a call.
-- KEYS[1] prefix
-- ARGV[1] cursor, 0 at first   ARGV[2] lanes to look at, about
-- Reply: {next cursor, 0 at the end; JSON array of [lane, account, space, campaign, pilot, waiting,
--   unsettled, class of zones or '']}
local P = KEYS[1]
local found, rows = redis.call('SSCAN', P .. ':lanes', ARGV[1], 'COUNT', ARGV[2]), {}
for _, lane in ipairs(found[2]) do
  local f = redis.call('HMGET', P .. ':l' .. lane, 'account', 'space', 'campaign', 'pilot', 'waiting',
    'unsettled', 'zones')
  if f[1] then
    rows[#rows + 1] = { lane, f[1], f[2], f[3], f[4], tonumber(f[5]), tonumber(f[6]), f[7] or '' }
  end
end
return { found[1], #rows > 0 and cjson.encode(rows) or '[]' }
