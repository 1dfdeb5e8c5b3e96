#!lua flags=no-writes
-- lanes: what waits in the lanes, a bounded piece a call.
-- KEYS[1] prefix
-- ARGV[1] cursor, 0 at first   ARGV[2] lanes to look at, about
-- Reply: {next cursor, 0 at the end; JSON array of [lane, account, space, campaign, pilot, waiting,
--   unsettled, ms of the oldest that waits in its queue or its open batch, or 0]}
local P = KEYS[1]
local call = redis.call

local function opened(batch)
  return batch and batch ~= '' and tonumber(call('HGET', P .. ':b' .. batch, 'o')) or nil
end

local function describe(lane)
  local f = call('HMGET', P .. ':l' .. lane, 'account', 'space', 'campaign', 'pilot', 'waiting',
    'unsettled', 'open')
  if not f[1] then return nil end
  local oldest = opened(call('LINDEX', P .. ':q' .. lane, 0)) or opened(f[7]) or 0
  return { lane, f[1], f[2], f[3], f[4], tonumber(f[5]), tonumber(f[6]), oldest }
end

local found, rows = call('SSCAN', P .. ':lanes', ARGV[1], 'COUNT', ARGV[2]), {}
for _, lane in ipairs(found[2]) do rows[#rows + 1] = describe(lane) end
return { found[1], #rows > 0 and cjson.encode(rows) or '[]' }
