-- What an operator asked for by account and campaign, and what that keeps from being sent now.
-- P:campaigns holds `revision JSON` for each (hours/record.py), P:hours when each class of zones is
-- open: `revision ms from-till,from-till,`, computed at that ms by that revision of the campaign. What
-- is not there, or was computed by another revision, is closed.
-- A lane that may not send now waits behind a bar (`bars_of` in lanes.lua), until what is due there.
-- Needs: lanes
local campaigns_read = {}

local function campaign_key(account, campaign)
  return account .. '\31' .. campaign
end

-- What was asked for, with its `key` and `revision`; false if nothing was.
local function campaign_of(account, campaign)
  local key = campaign_key(account, campaign)
  if campaigns_read[key] == nil then
    local written, record = call('HGET', P .. ':campaigns', key), false
    if written then
      local revision, json = string.match(written, '^(%d+) (.*)$')
      local is_read, found = pcall(cjson.decode, json)
      local is_record = is_read and type(found) == 'table' and next(found)
      record = is_record and found or { timed = true } -- unreadable: closed
      record.key, record.revision = key, revision
    end
    campaigns_read[key] = record
  end
  return campaigns_read[key]
end

-- Has workers compute when a class of zones is open.
local function want_hours(key, zones)
  call('HSETNX', P .. ':hours', key .. '\31' .. zones, '0 ' .. NOW .. ' ')
end

-- Whether intervals hold this moment; and when that changes, nil if that is not known.
local function is_within(intervals)
  for from, till in string.gmatch(intervals, '(%d+)-(%d+),') do
    if NOW < tonumber(from) then return false, tonumber(from) end
    if NOW < tonumber(till) then return true, tonumber(till) end
  end
  return false, nil
end

local function is_open_for(record, zones)
  local written = call('HGET', P .. ':hours', record.key .. '\31' .. zones)
  if not written then
    want_hours(record.key, zones)
    return false, nil
  end
  local revision, intervals = string.match(written, '^(%d+) %d+ (.*)$')
  if revision ~= record.revision then return false, nil end
  return is_within(intervals)
end

local function has_ended(record)
  return record and record.ends and NOW >= record.ends
end

-- The bar that a lane has to wait behind, if any, and until when, where that is known.
local function bar_before(record, lane, zones)
  if record.starts and NOW < record.starts then return 'starts:' .. record.key, record.starts end
  if record.timed then
    local asked = string.match(zones or '', '^[^|]*|[^|]*|(.*)$') or ''
    if not zones or zones == '' or asked ~= (record.zone_field or '') then
      call('SADD', P .. ':unsorted', lane)
      return 'unsorted:' .. record.key, nil
    end
    local is_open, changes = is_open_for(record, zones)
    if not is_open then return 'hours:' .. record.key .. '\31' .. zones, changes end
  end
  local may_go_on = record.pace and tonumber(call('HGET', P .. ':paced', record.key) or '0') or 0
  if may_go_on > NOW then return 'pace:' .. record.key, may_go_on end
end

-- Has a lane wait behind a bar; it is looked at again when that may open, or the campaign ends.
local function set_aside(record, lane, bar, till)
  park(lane, bar)
  if record.ends and (not till or record.ends < till) then till = record.ends end
  if till then call('ZADD', P .. ':due', till, 'G' .. bar) end
end

-- A campaign's pace, shared by the partitions that hold lanes of it: after documents were taken it
-- rests for as long as they take at that pace.
local function keep_pace(record, documents)
  local parts = call('HGET', P .. ':paced', record.key .. '\31parts')
    or call('HGET', P .. ':counts', 'partitions') or '1'
  local rest = math.ceil(documents * 60000 * math.max(1, tonumber(parts)) / record.pace)
  local before = tonumber(call('HGET', P .. ':paced', record.key) or '0')
  call('HSET', P .. ':paced', record.key, string.format('%d', math.max(before, NOW) + rest))
end
