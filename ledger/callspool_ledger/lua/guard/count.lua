#!lua flags=allow-oom
-- count: counts calls that an attempt made, as far as they are not counted: Redis may have forgotten them.
-- KEYS[1] prefix of the guard
-- ARGV[1] id of the key that the digests are made with   ARGV[2] account   ARGV[3] campaign
-- ARGV[4] digests of numbers, 9 bytes each   ARGV[5] token of the attempt   ARGV[6] ms when, 0: now
-- Reply: calls that were counted.
-- include: suppressed server called
if is_other_key(ARGV[1]) then return OTHER_KEY end
local meta, token = P .. ':meta', ARGV[5]
local longest = tonumber(call('HGET', meta, 'longest') or '0')
local unit = ARGV[6] == '0' and NOW_UNIT or math.min(NOW_UNIT, floor(tonumber(ARGV[6]) / UNIT_MS))
if longest == 0 or counts_until(unit, longest) <= NOW then return 0 end

local scope = 0
for _, set in ipairs(call('HMGET', P .. ':caps', ARGV[2], ARGV[2] .. '\31' .. ARGV[3])) do
  if set then scope = cjson.decode(set).n end
end
local known, number = held_of(token)
if known then
  unit = known
else
  number = call('HINCRBY', meta, 'reserved', 1) % NUMBERS
  hold(token, unit, number, longest)
end
local packed = pack_call(unit, scope, number)

-- A number's calls with one more; the first one stays first.
local function with_one_more(calls)
  local at = #calls
  while at > 0 and unit_at(calls, at - CALL_BYTES + 1) > unit do at = at - CALL_BYTES end
  return sub(calls, 1, at) .. packed .. sub(calls, at + 1)
end

local asked, counted = {}, 0
for at = 1, #ARGV[4], ENTRY_BYTES do
  local digest = sub(ARGV[4], at, at + ENTRY_BYTES - 1)
  asked[digest] = (asked[digest] or 0) + 1
end
for digest, times in pairs(asked) do
  local key, field = calls_key(digest, 1)
  local calls = without_old(call('HGET', key, field) or '', longest)
  times = times - count_own(calls, unit, number)
  for _ = 1, times do calls = with_one_more(calls) end
  if times > 0 then
    call('HSET', key, field, calls)
    counted = counted + times
  end
end
return counted
