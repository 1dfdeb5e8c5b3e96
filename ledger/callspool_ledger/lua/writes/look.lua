#!lua flags=allow-oom
-- look: gives the space that is to be read back next to one looker; nobody else gets it until it is
-- looked at, or for a while.
-- KEYS[1] prefix
-- ARGV[1] looker   ARGV[2] ms that it may take   ARGV[3] batches at most   ARGV[4...] accounts
-- Reply: {space, ms of this look, batches in doubt, the oldest first, ms since when it could not be
--   read or 0, number of the restart of Redis since which it waits, ms from when on the space is to be
--   read back because of it, or 0, 1 if the ledger is new, so that marks of another one tell of its documents,
--   2 if besides nothing tells that there was another one, ms at which nothing that was forgotten can be
--   under way any more}; {} if none is due.
-- include: base
local SPACES = 50 -- looked through in one call, at most
local mine = {}
for i = 4, #ARGV do mine[ARGV[i]] = true end

-- What this looker looked at before it lost its connection, say, it may look at again at once.
local looking = call('HGETALL', P .. ':looking')
for i = 1, #looking, 2 do
  if string.match(looking[i + 1], '^%d+ (.*)$') == ARGV[1] then
    call('HDEL', P .. ':looking', looking[i])
    call('ZADD', P .. ':proofs', 'XX', NOW, looking[i])
  end
end

local due = call('ZRANGEBYSCORE', P .. ':proofs', '-inf', NOW, 'LIMIT', 0, SPACES)
for _, space in ipairs(due) do
  if mine[string.match(space, '^([^|]*)|')] then
    local till = tonumber(string.match(call('HGET', P .. ':looking', space) or '0', '^%d+'))
    if till <= NOW then
      till = NOW + tonumber(ARGV[2])
      call('ZADD', P .. ':proofs', till, space)
      call('HSET', P .. ':looking', space, till .. ' ' .. ARGV[1])
      local batches = call('ZRANGE', P .. ':doubts:' .. space, 0, ARGV[3] - 1)
      local failing = call('HGET', P .. ':unreadable', space) or '0'
      local f = call('HMGET', P .. ':meta', 'restarted', 'lease', 'quiet', 'overlap', 'epoch')
      local unread = call('HGET', P .. ':gates', 'unread:' .. space)
      local gate = unread and cjson.decode(unread) or { from = 0 }
      local epoch = tostring(gate.clock or f[5] or '0')
      local from = string.format('%d', gate.from)
      local over = 0
      for i = 1, 4 do over = over + tonumber(f[i] or '0') end
      local new = gate.new and (gate.soft and 2 or 1) or 0
      return { space, tostring(NOW), batches, failing, epoch, from, new, string.format('%d', over) }
    end
  end
  -- Somebody looks already, or nobody here can: those behind it get their turn.
  call('ZADD', P .. ':proofs', NOW + 1000, space)
end
return {}
