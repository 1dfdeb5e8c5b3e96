#!lua flags=no-writes
-- capped: documents that wait since their numbers were called often enough, lane by lane.
-- KEYS[1] prefix
-- ARGV[1] batches to look at, at most: those that may be called first
-- Reply: JSON array of [lane, account, campaign, documents, ms when the first may be called, its cap
--   (`calls|ms|whose`), whether there are more batches than were looked at]
local P = KEYS[1]
local call = redis.call
local by_lane, rows = {}, {}
local is_more = call('ZCARD', P .. ':capped') > tonumber(ARGV[1])
for _, id in ipairs(call('ZRANGE', P .. ':capped', 0, ARGV[1] - 1)) do
  local f = call('HMGET', P .. ':b' .. id, 'lane', 's', 'due', 'capped', 'account')
  local campaign = f[4] and call('HGET', P .. ':l' .. f[1], 'campaign')
  if campaign then
    local row = by_lane[f[1]]
    if not row then
      row = { f[1], f[5], campaign, 0, tonumber(f[3]), f[4], is_more }
      by_lane[f[1]], rows[#rows + 1] = row, row
    end
    row[4] = row[4] + select(2, string.gsub(f[2], 'w', 'w'))
  end
end
return #rows > 0 and cjson.encode(rows) or '[]'
