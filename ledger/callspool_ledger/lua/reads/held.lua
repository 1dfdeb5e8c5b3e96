#!lua flags=no-writes
-- held: which lanes wait behind bars of their campaigns, and how many documents in them.
-- KEYS[1] prefix
-- ARGV[1] lanes of a bar to look at, at most
-- Reply: JSON array of [kind of the bar, account, campaign, class of zones or '', lanes, documents;
--   -1 where the lanes are too many to look at]
local P = KEYS[1]
local call = redis.call
local most, rows = tonumber(ARGV[1]), {}

local function look(kind, name)
  local bar = P .. ':parked:' .. kind .. ':' .. name
  local lanes = call('SCARD', bar)
  if lanes == 0 then return end
  local documents = 0
  if lanes <= most then
    for _, lane in ipairs(call('SMEMBERS', bar)) do
      documents = documents + tonumber(call('HGET', P .. ':l' .. lane, 'waiting') or '0')
    end
  end
  local account, campaign, zones = string.match(name .. '\31', '^([^\31]*)\31([^\31]*)\31([^\31]*)')
  rows[#rows + 1] = { kind, account, campaign, zones, lanes, lanes <= most and documents or -1 }
end

for _, name in ipairs(call('HKEYS', P .. ':campaigns')) do
  for _, kind in ipairs({ 'starts', 'unsorted', 'pace' }) do look(kind, name) end
end
for _, name in ipairs(call('HKEYS', P .. ':hours')) do look('hours', name) end
return #rows > 0 and cjson.encode(rows) or '[]'
