#!lua flags=allow-oom
-- allow_follow: whether one more read may follow an account's calls now, in a rate that all workers
-- share; nothing follows while the API wants nothing.
-- KEYS[1] prefix of the account
-- ARGV[1] reads a second   ARGV[2] ms for which nothing is read now, or 0: the API refused a read
-- Reply: ms to wait; 0 if the read may begin
-- include: base
local KEPT = 86400 -- seconds
local key = P .. ':follow'
local f = call('HMGET', key, 'next', 'rest')
local turn, rest = tonumber(f[1] or '0'), tonumber(f[2] or '0')
local each = 1000 / tonumber(ARGV[1])
-- A clock that was set back makes no wait longer than it can be.
if turn - NOW > each + 1 then turn = NOW end
if rest - NOW > KEPT * 1000 then rest = NOW end
if tonumber(ARGV[2]) > 0 then
  -- A shorter rest, told by an answer to a read that had begun before, ends no longer one.
  rest = math.max(rest, NOW + tonumber(ARGV[2]))
  call('HSET', key, 'rest', rest)
  call('EXPIRE', key, KEPT)
  return rest - NOW
end
local sending = tonumber(call('HGET', P .. ':limit', 'rest') or '0')
local wait = math.max(turn, rest, sending) - NOW
if wait > 0 then return math.ceil(wait) end
call('HSET', key, 'next', math.max(turn, NOW) + each)
call('EXPIRE', key, KEPT)
return 0
