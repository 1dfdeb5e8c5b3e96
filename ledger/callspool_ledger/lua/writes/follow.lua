#!lua flags=allow-oom
-- follow: gives the space whose calls are to be looked at next to one follower; it is locked as for
-- a look that proves, which goes first.
-- KEYS[1] prefix
-- ARGV[1] follower   ARGV[2] ms that it may take   ARGV[3] ms between two passes, usually
-- ARGV[4] batches at most   ARGV[5] documents of the oldest at most   ARGV[6...] accounts
-- Reply: {space, ms now, the oldest batches of those with open calls that may yet go out, batches that
--   are due to be looked at apart from these, one of the former by chance if there are more, how many
--   batches have open calls, how far it was gone through for follow-ups, or ''}; of each batch its number, ms since when, what the follower remembers of
--   it, or '', and how many documents it has. {} if none is due.
-- include: base batches
local SPACES = 50 -- looked through in one call, at most
local mine = {}
for i = 6, #ARGV do mine[ARGV[i]] = true end
-- A follower that passes more often finds nothing put off for longer than that.
local usual = call('HGET', P .. ':meta', 'follow')
if usual ~= ARGV[3] then
  call('HSET', P .. ':meta', 'follow', ARGV[3])
  if tonumber(ARGV[3]) < tonumber(usual or '60000') then
    for _, space in ipairs(call('ZRANGE', P .. ':follows', 0, -1)) do
      call('ZADD', P .. ':follows', 'XX', 'LT', NOW + ARGV[3], space)
    end
  end
end

-- What this follower looked at before it lost its connection, say, it may look at again at once.
local looking = call('HGETALL', P .. ':looking')
for i = 1, #looking, 2 do
  if string.match(looking[i + 1], '^%d+ (.*)$') == ARGV[1] then
    call('HDEL', P .. ':looking', looking[i])
  end
end

local function is_free(space)
  local till = tonumber(string.match(call('HGET', P .. ':looking', space) or '0', '^%d+'))
  local proof = call('ZSCORE', P .. ':proofs', space)
  return till <= NOW and not (proof and tonumber(proof) <= NOW)
end

-- Batches with their scores and what is remembered of them; those that have gone are dropped. Once
-- they have so many documents, those behind them are left out.
local function describe(key, opened, scored, documents)
  local found = {}
  for i = 1, #scored, 2 do
    if documents <= 0 then break end
    local f = call('HMGET', batch_key(scored[i]), 'y', 'yt')
    if f[1] then
      found[#found + 1] = scored[i]
      found[#found + 1] = string.format('%d', call('ZSCORE', opened, scored[i]) or scored[i + 1])
      found[#found + 1] = f[2] or ''
      found[#found + 1] = #f[1]
      documents = documents - #f[1]
    else
      call('ZREM', key, scored[i])
      call('ZREM', opened, scored[i])
    end
  end
  return found
end

local due = call('ZRANGEBYSCORE', P .. ':follows', '-inf', NOW, 'LIMIT', 0, SPACES)
for _, space in ipairs(due) do
  if mine[string.match(space, '^([^|]*)|')] and is_free(space) then
    local till = NOW + tonumber(ARGV[2])
    call('ZADD', P .. ':follows', till, space)
    call('HSET', P .. ':looking', space, till .. ' ' .. ARGV[1])
    local calls, later, most = P .. ':calls:' .. space, P .. ':later:' .. space, tonumber(ARGV[4])
    local opened = P .. ':opened:' .. space
    local function described(key, found) return describe(key, opened, found, tonumber(ARGV[5])) end
    local oldest = described(calls, call('ZRANGE', calls, 0, most - 1, 'WITHSCORES'))
    local is_all = call('ZCARD', calls) <= #oldest / 4
    local any = is_all and {} or call('ZRANDMEMBER', calls, 1, 'WITHSCORES')
    local more = call('ZRANGEBYSCORE', later, '-inf', NOW, 'WITHSCORES', 'LIMIT', 0, most)
    return { space, tostring(NOW), oldest, described(later, more), described(calls, any),
      call('ZCARD', opened), call('HGET', P .. ':searched', space) or '' }
  end
  -- Another one looks already, a proof goes first, or this one cannot: those behind get their turn.
  call('ZADD', P .. ':follows', NOW + 1000, space)
end
return {}
