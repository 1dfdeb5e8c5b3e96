#!lua flags=no-writes
-- dead: batches with documents that may be replayed, a bounded piece a call.
-- KEYS[1] prefix
-- ARGV[1] cursor, 0 at first   ARGV[2] batches to look at, about
-- Reply: {next cursor, 0 at the end; JSON array of [batch, ms when it died, its dead documents,
--   account, space, campaign, lane]}
local P = KEYS[1]
local call = redis.call
local found, rows, scopes = call('ZSCAN', P .. ':dead', ARGV[1], 'COUNT', ARGV[2]), {}, {}

local function scope_of(lane)
  scopes[lane] = scopes[lane] or call('HMGET', P .. ':l' .. lane, 'account', 'space', 'campaign')
  return scopes[lane]
end

for i = 1, #found[2], 2 do
  local f = call('HMGET', P .. ':b' .. found[2][i], 's', 'lane')
  if f[1] then
    local scope, _, n = scope_of(f[2]), string.gsub(f[1], 'x', 'x')
    rows[#rows + 1] = {
      tonumber(found[2][i]), tonumber(found[2][i + 1]), n, scope[1], scope[2], scope[3], f[2],
    }
  end
end
return { found[1], #rows > 0 and cjson.encode(rows) or '[]' }
