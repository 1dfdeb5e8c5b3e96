#!lua flags=no-writes
-- doubts: batches of one space with documents in doubt, a bounded piece a call.
-- KEYS[1] prefix
-- ARGV[1] cursor, 0 at first   ARGV[2] batches to look at, about   ARGV[3] space, as in P:proofs
-- Reply: {next cursor, 0 at the end; JSON array of [batch, ms since when it is in doubt, its
--   documents in doubt, account, space, campaign, lane, why no look can prove it, or '']}
local P = KEYS[1]
local call = redis.call
local found = call('ZSCAN', P .. ':doubts:' .. ARGV[3], ARGV[1], 'COUNT', ARGV[2])
local rows, scopes = {}, {}

local function scope_of(lane)
  scopes[lane] = scopes[lane] or call('HMGET', P .. ':l' .. lane, 'account', 'space', 'campaign')
  return scopes[lane]
end

for i = 1, #found[2], 2 do
  local f = call('HMGET', P .. ':b' .. found[2][i], 's', 'lane', 'held')
  local scope = f[1] and scope_of(f[2])
  if scope and scope[1] then
    local _, n = string.gsub(f[1], 'd', 'd')
    rows[#rows + 1] = {
      tonumber(found[2][i]), tonumber(found[2][i + 1]), n, scope[1], scope[2], scope[3], f[2],
      f[3] or '',
    }
  end
end
return { found[1], #rows > 0 and cjson.encode(rows) or '[]' }
