#!lua flags=allow-oom
-- hint_calls: rings of a batch that the call log shows to be over: when it is looked at is told by them,
-- never an outcome.
-- KEYS[1] prefix
-- ARGV[1] space   ARGV[2] batch   ARGV[3] ms from the first end that no look has seen to the next look
-- ARGV[4] ms since the first of these ends   ARGV[5...] places, one for each ring
-- Reply: 1 if it is to be looked at, else 0
-- include: base batches
local LATEST = 120000 -- ms that an end may be older than its row in the log
local key = batch_key(ARGV[2])
local f = call('HMGET', key, 's', 'y', 'yl', 'yr', 'yf', 'yt')
if not f[2] then return 0 end
local y, ended, rings = f[2], f[3] or string.rep('0', #f[2]), f[4] or string.rep('\0', #f[2])
local function put(text, place, new)
  return string.sub(text, 1, place - 1) .. new .. string.sub(text, place + 1)
end
local is_open = false
for i = 5, #ARGV do
  local place = tonumber(ARGV[i])
  if string.sub(f[1], place, place) == 'c' then
    rings = put(rings, place, string.char(math.min(255, string.byte(rings, place) + 1)))
    if string.sub(y, place, place) == 'o' then
      ended, is_open = put(ended, place, '1'), true
    end
  end
end
call('HSET', key, 'yr', rings)
if not is_open then return 0 end
local known = f[6] and cjson.decode(f[6]).failed or {}
local all = true
for place = 1, #y do
  if string.sub(y, place, place) == 'o' and string.sub(ended, place, place) == '0'
    and not known[tostring(place - 1)] then
    all = false
    break
  end
end
local first = tonumber(f[5] or NOW - math.min(tonumber(ARGV[4]), LATEST))
call('HSET', key, 'yl', ended, 'yf', first)
local due = all and NOW or math.max(NOW, first + tonumber(ARGV[3]))
call('ZREM', P .. ':calls:' .. ARGV[1], ARGV[2])
call('ZADD', P .. ':later:' .. ARGV[1], 'LT', due, ARGV[2])
call('ZADD', P .. ':follows', 'LT', due, ARGV[1])
return 1
