#!lua flags=no-writes
-- top_lanes: the lanes of a selection that come first, a bounded piece a call: those in which most
-- documents wait, or those whose first batch was opened first (resting batches left out).
-- KEYS[1] prefix
-- ARGV[1] cursor, 0 at first   ARGV[2] lanes to look at, about   ARGV[3] lanes to tell, at most
-- ARGV[4] `waiting` or `oldest`
-- ARGV[5] JSON object: account, space and campaign that are meant, where not any
-- ARGV[6] rank of the last lane of the top so far, or a huge one   ARGV[7] that lane
-- Reply: {next cursor, 0 at the end; lanes of the selection; JSON array of [lane, account, space,
--   campaign, pilot, waiting, unsettled, rank, class of zones or ''] of the least ranks}
local P = KEYS[1]
local call = redis.call
local most, by_age, wanted = tonumber(ARGV[3]), ARGV[4] == 'oldest', cjson.decode(ARGV[5])
local last, last_lane = tonumber(ARGV[6]), ARGV[7]
local is_any = next(wanted) == nil
local NEVER = 1e15 -- the rank of a lane in which nothing waits
local found = call('SSCAN', P .. ':lanes', ARGV[1], 'COUNT', ARGV[2])
local lanes, n, ahead = {}, 0, 0

local function is_meant(f)
  return (not wanted.account or wanted.account == f[2]) and (not wanted.space or wanted.space == f[3])
    and (not wanted.campaign or wanted.campaign == f[4])
end

-- How many wait in a lane that is meant; nil if it is not, or is gone.
local function waiting_in(lane)
  if is_any then return call('HGET', P .. ':l' .. lane, 'waiting') or nil end
  local f = call('HMGET', P .. ':l' .. lane, 'waiting', 'account', 'space', 'campaign')
  return f[1] and is_meant(f) and f[1] or nil
end

local function opened(batch)
  return batch and batch ~= '' and tonumber(call('HGET', P .. ':b' .. batch, 'o')) or nil
end

local function rank_of(lane, waiting)
  if not by_age then return -tonumber(waiting) end
  if waiting == '0' then return NEVER end
  return opened(call('LINDEX', P .. ':q' .. lane, 0)) or opened(call('HGET', P .. ':l' .. lane, 'open'))
    or NEVER
end

for _, lane in ipairs(found[2]) do
  local waiting = waiting_in(lane)
  if waiting then
    n = n + 1
    local rank = rank_of(lane, waiting)
    if rank < last or (rank == last and lane < last_lane) then
      ahead = ahead + 1
      lanes[ahead] = { lane, rank }
    end
  end
end

table.sort(lanes, function(one, two)
  if one[2] == two[2] then return one[1] < two[1] end
  return one[2] < two[2]
end)
local rows = {}
for i = 1, math.min(ahead, most) do
  local lane = lanes[i][1]
  local f = call('HMGET', P .. ':l' .. lane, 'account', 'space', 'campaign', 'pilot', 'waiting',
    'unsettled', 'zones')
  rows[i] = { lane, f[1], f[2], f[3], f[4], tonumber(f[5]), tonumber(f[6]), lanes[i][2], f[7] or '' }
end
return { found[1], n, ahead > 0 and cjson.encode(rows) or '[]' }
