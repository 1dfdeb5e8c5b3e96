-- Calls that count for caps. P:c:<2 bytes> maps the rest of a number's digest to its calls, 7 bytes
-- each, the first one first: when (3 bytes, units of 10 s, which begin anew after 5 years), whose (2),
-- and by which reservation (2; their numbers begin anew as well). P:caps maps whom a cap is for, '',
-- an account, or account and campaign with U+001F between, to JSON {n, caps: [[calls, ms], ...]}; P:scopes
-- maps n, which says whose a call is, back to that name; 0 is the installation's.
-- P:held:<token> holds when and by which number an attempt reserved its calls, for as long as they count.
-- Needs: suppressed
local CALL_BYTES, UNIT_MS, UNITS, NUMBERS = 7, 10000, 16777216, 65536
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
  return (unit + 1) * UNIT_MS + window
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

-- Gives back what an attempt reserved for these numbers: it did not call them. Tells how many. Of a number
-- that it reserved for other documents as well nothing is given back: whose call is whose is not known, nor
-- whether this was asked before.
local function take_back(token, digests)
  local unit, number = string.match(call('GET', P .. ':held:' .. token) or '', '^(%d+) (%d+)$')
  if not unit then return 0 end
  local head, tail, given_back = sub(pack_call(unit, 0, number), 1, 3), sub(pack_call(0, 0, number), 6), 0
  local asked = {}
  for at = 1, #digests, ENTRY_BYTES do
    local digest = sub(digests, at, at + ENTRY_BYTES - 1)
    asked[digest] = (asked[digest] or 0) + 1
  end
  for digest, times in pairs(asked) do
    local key, field = calls_key(digest, 1)
    local calls, others, own = call('HGET', key, field) or '', {}, 0
    for of = 1, #calls, CALL_BYTES do
      if sub(calls, of, of + 2) == head and sub(calls, of + 5, of + 6) == tail then
        own = own + 1
      else
        others[#others + 1] = sub(calls, of, of + CALL_BYTES - 1)
      end
    end
    if own > 0 and own <= times then
      keep_calls(key, field, table.concat(others))
      given_back = given_back + own
    end
  end
  return given_back
end
