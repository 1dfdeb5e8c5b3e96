#!lua flags=allow-oom
-- store_hours: keeps when classes of zones are open, as a worker computed it; lanes that waited for
-- that are looked at again.
-- KEYS[1] prefix
-- ARGV, for each class: campaign and class as P:hours names them   revision of the campaign that was
--   read   intervals `from-till,` in ms, in order
-- Reply: how many were stored: not those of a campaign that was changed meanwhile.
-- include: base lanes campaigns
local stored = 0
for i = 1, #ARGV, 3 do
  local field, revision, intervals = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local account, campaign = string.match(field, '^([^\31]*)\31([^\31]*)\31')
  local record = campaign_of(account, campaign)
  if record and record.revision == revision then
    call('HSET', P .. ':hours', field, revision .. ' ' .. NOW .. ' ' .. intervals)
    stored = stored + 1
    local is_open, changes = is_within(intervals)
    if is_open then changes = NOW end
    if changes and call('EXISTS', P .. ':parked:hours:' .. field) == 1 then
      if record.ends then changes = math.min(changes, record.ends) end
      call('ZADD', P .. ':due', changes, 'Ghours:' .. field)
    end
  end
end
return stored
