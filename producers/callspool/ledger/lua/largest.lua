#!lua flags=no-writes
-- largest: the lanes of a selection in which most documents wait, a bounded piece a call.
-- KEYS[1] prefix
-- ARGV[1] cursor, 0 at first   ARGV[2] lanes to look at, about   ARGV[3] lanes to tell, at most
-- ARGV[4] JSON object: account, space and campaign that are meant, where not any
-- ARGV[5] documents waiting in the least of the largest so far, -1: none   ARGV[6] that lane
-- Reply: {next cursor, 0 at the end; lanes of the selection; JSON array of [lane, account, space,
--   campaign, pilot, waiting, unsettled] of the largest among them}
local P = KEYS[1]
local call = redis.call
local most, wanted = tonumber(ARGV[3]), cjson.decode(ARGV[4])
local least, least_lane = tonumber(ARGV[5]), ARGV[6]
local is_any = next(wanted) == nil
local found = call('SSCAN', P .. ':lanes', ARGV[1], 'COUNT', ARGV[2])
local lanes, n, larger = {}, 0, 0

local function is_meant(f)
  return (not wanted.account or wanted.account == f[2]) and (not wanted.space or wanted.space == f[3])
    and (not wanted.campaign or wanted.campaign == f[4])
end

for _, lane in ipairs(found[2]) do
  local waiting
  if is_any then
    waiting = call('HGET', P .. ':l' .. lane, 'waiting')
  else
    local f = call('HMGET', P .. ':l' .. lane, 'waiting', 'account', 'space', 'campaign')
    waiting = is_meant(f) and f[1]
  end
  if waiting then
    n = n + 1
    waiting = tonumber(waiting)
    if waiting > least or (waiting == least and lane < least_lane) then
      larger = larger + 1
      lanes[larger] = { lane, waiting }
    end
  end
end

table.sort(lanes, function(one, two)
  if one[2] == two[2] then return one[1] < two[1] end
  return one[2] > two[2]
end)
local rows = {}
for i = 1, math.min(larger, most) do
  local lane = lanes[i][1]
  local f = call('HMGET', P .. ':l' .. lane, 'account', 'space', 'campaign', 'pilot', 'waiting',
    'unsettled')
  rows[i] = { lane, f[1], f[2], f[3], f[4], tonumber(f[5]), tonumber(f[6]) }
end
return { found[1], n, larger > 0 and cjson.encode(rows) or '[]' }
