#!lua flags=allow-oom
-- trim_feed: drops the oldest entries of the feed, what is over its time, or over its size; and keeps
-- which one went last, so that no reader passes over what it never saw.
-- KEYS[1] prefix
-- ARGV[1] ms that entries are kept   ARGV[2] bytes at most
-- Reply: 1 if there is more to drop, 0 if there is not
-- include: base
local PIECE = 20 -- at most a part of so many is dropped in one call, or a minute's entries
local key, keep, most = P .. ':events', tonumber(ARGV[1]), tonumber(ARGV[2])

local function ms_of(found)
  return found[1] and tonumber(string.match(found[1][1], '^%d+'))
end

local oldest = ms_of(call('XRANGE', key, '-', '+', 'COUNT', 1))
if not oldest then return 0 end
local span = ms_of(call('XREVRANGE', key, '+', '-', 'COUNT', 1)) - oldest
local till, bytes = NOW - keep, call('MEMORY', 'USAGE', key)
if bytes > most then till = math.max(till, oldest + 1 + math.ceil(span * (1 - most / bytes))) end
local now_till = math.min(till, oldest + math.max(60000, math.ceil(span / PIECE)))
if now_till <= oldest then return 0 end
local bound = string.format('%d-0', now_till)
call('HSET', P .. ':meta', 'feed_cut', call('XREVRANGE', key, '(' .. bound, '-', 'COUNT', 1)[1][1])
call('XTRIM', key, 'MINID', '=', bound)
return now_till < till and 1 or 0
