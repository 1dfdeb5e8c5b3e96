-- Calls that count for caps. P:c:<2 bytes> maps the rest of a number's digest to its calls, 7 bytes
-- each, the first one first: when (3 bytes, units of 10 s, which begin anew after 5 years), whose (2),
-- and by which reservation (2; their numbers begin anew as well). P:caps maps whom a cap is for, '',
-- an account, or account and campaign with U+001F between, to JSON {n, caps: [[calls, ms], ...]}; P:scopes
-- maps n, which says whose a call is, back to that name; 0 is the installation's.
-- P:held:<token> holds when and by which number an attempt reserved its calls, for as long as they count;
-- of an attempt that is settled an hour, with an `s` before: its calls are neither given back nor counted
-- once more.
-- A call counts from when it was reserved, and may be made until the longest lease of a worker later
-- (P:meta `lease`): so much longer it counts.
-- Where Redis may have forgotten calls (P:meta `unsure`, ms since when; `epoch` counts how often that
-- was), nothing that has a cap is cleared before all that is known of them is counted once more.
-- Needs: suppressed server
local CALL_BYTES, UNIT_MS, UNITS, NUMBERS = 7, 10000, 16777216, 65536
local SETTLED_MS = 3600000
local LEASE = tonumber(call('HGET', P .. ':meta', 'lease') or '0')
local byte, char, floor = string.byte, string.char, math.floor
local NOW_UNIT = floor(NOW / UNIT_MS)

local function pack_call(unit, scope, number)
  return char(floor(unit / 65536) % 256, floor(unit / 256) % 256, unit % 256,
    floor(scope / 256), scope % 256, floor(number / 256), number % 256)
end

-- The unit of the call at a place, counted from 1970 as NOW_UNIT is; a clock that was set back makes
-- it now.
local function unit_at(calls, at)
  local a, b, c = byte(calls, at, at + 2)
  local age = (NOW_UNIT - (a * 65536 + b * 256 + c)) % UNITS
  return age > UNITS / 2 and NOW_UNIT or NOW_UNIT - age
end

-- Until when a call counts for a window.
local function counts_until(unit, window)
  return (unit + 1) * UNIT_MS + window + LEASE
end

local CALLS = P .. ':c:'
local function calls_key(digests, at)
  return CALLS .. sub(digests, at, at + 1), sub(digests, at + 2, at + ENTRY_BYTES - 1)
end

local function keep_calls(key, field, calls)
  if calls == '' then call('HDEL', key, field) else call('HSET', key, field, calls) end
end

-- The calls of a number that still count for the longest window.
local function without_old(calls, longest)
  for at = 1, #calls, CALL_BYTES do
    if counts_until(unit_at(calls, at), longest) > NOW then return at == 1 and calls or sub(calls, at) end
  end
  return ''
end

-- Keeps for how long calls are remembered (P:meta `longest`): the longest time of a cap, or of one that
-- was set lately, so that calls count that were made while it was shorter. Returns it; 0 without a cap.
local function note_longest()
  local longest, meta = 0, P .. ':meta'
  for _, each in ipairs(call('HVALS', P .. ':caps')) do
    for _, cap in ipairs(cjson.decode(each).caps) do longest = math.max(longest, cap[2]) end
  end
  local f = call('HMGET', meta, 'longest', 'longest_till')
  local before, till = tonumber(f[1] or '0'), tonumber(f[2] or nil)
  if longest == 0 or longest >= before then
    call('HDEL', meta, 'longest_till')
  elseif not till then
    call('HSET', meta, 'longest_till', string.format('%d', NOW + before))
    longest = before
  elseif till > NOW then
    longest = before
  else
    call('HDEL', meta, 'longest_till')
  end
  call('HSET', meta, 'longest', string.format('%d', longest))
  return longest
end

-- Keeps in mind by which number an attempt reserved its calls.
local function hold(token, unit, number, longest)
  local ms = string.format('%d', math.max(1, counts_until(unit + 1, longest) - NOW))
  call('SET', P .. ':held:' .. token, string.format('%d %d', unit, number), 'PX', ms)
end

-- The reservation of an attempt: when (in units), by which number, and what is kept of it.
local function held_of(token)
  local kept = call('GET', P .. ':held:' .. token)
  local unit, number = string.match(kept or '', '^s?(%d+) (%d+)$')
  return tonumber(unit), tonumber(number), kept
end

-- An attempt made its calls.
local function note_settled(token)
  local unit, _, kept = held_of(token)
  if unit and sub(kept, 1, 1) ~= 's' then
    call('SET', P .. ':held:' .. token, 's' .. kept, 'PX', string.format('%d', SETTLED_MS))
  end
end

-- Notices that another server answers, or other data, than the last time. Returns how often that was, and
-- since when calls may be forgotten (ms; nil if none are).
local function see_server(longest)
  local server, replid, before = this_server()
  local f = call('HMGET', P .. ':meta', 'server', 'replid', 'epoch', 'unsure')
  local unsure = tonumber(f[4] or nil)
  if f[1] == server and f[2] == replid then
    if not unsure or unsure + longest + LEASE > NOW then return f[3] or '0', unsure end
    call('HDEL', P .. ':meta', 'unsure') -- what was forgotten counts no more
    return f[3] or '0', nil
  end
  call('HSET', P .. ':meta', 'server', server, 'replid', replid)
  if not f[1] or (f[1] == server and f[2] == before) then return f[3] or '0', unsure end
  call('HSET', P .. ':meta', 'unsure', NOW)
  return tostring(call('HINCRBY', P .. ':meta', 'epoch', 1)), NOW
end

-- How many of a number's calls are of a reservation; and the others.
local function count_own(calls, unit, number)
  local packed, own, others = pack_call(unit, 0, number), 0, {}
  for at = 1, #calls, CALL_BYTES do
    if sub(calls, at, at + 2) == sub(packed, 1, 3) and sub(calls, at + 5, at + 6) == sub(packed, 6) then
      own = own + 1
    else
      others[#others + 1] = sub(calls, at, at + CALL_BYTES - 1)
    end
  end
  return own, table.concat(others)
end

-- Gives back what an attempt reserved for these numbers: it did not call them. Tells how many. Of a number
-- that it reserved for other documents as well nothing is given back: whose call is whose is not known, nor
-- whether this was asked before.
local function take_back(token, digests)
  local unit, number, kept = held_of(token)
  if not unit or sub(kept, 1, 1) == 's' then return 0 end
  local asked, given_back = {}, 0
  for at = 1, #digests, ENTRY_BYTES do
    local digest = sub(digests, at, at + ENTRY_BYTES - 1)
    asked[digest] = (asked[digest] or 0) + 1
  end
  for digest, times in pairs(asked) do
    local key, field = calls_key(digest, 1)
    local own, others = count_own(call('HGET', key, field) or '', unit, number)
    if own > 0 and own <= times then
      keep_calls(key, field, others)
      given_back = given_back + own
    end
  end
  return given_back
end
