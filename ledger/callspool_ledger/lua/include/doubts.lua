-- Documents in doubt, by space, since a space is read back as a whole. P:doubts:<SPACE> holds its
-- batches by the time they came there, P:proofs when each such space is looked at next; <SPACE> is
-- `account|space token`. Needs: lanes batches
local RUNS_KNOWN_MS = 3600000

local function space_of(batch)
  -- Of a batch that was settled long ago the lane may be gone: nothing of it is in doubt.
  return batch.account .. '|' .. (lane_of(batch)[1] or '')
end

local function begin_doubt(batch)
  local space = space_of(batch)
  call('HDEL', batch_key(batch.id), 'seen', 'held', 'looked', 'span')
  call('HSET', batch_key(batch.id), 'phase', 'doubt', 'doubted', NOW, 'changed', NOW)
  call('ZADD', P .. ':doubts:' .. space, NOW, batch.id)
  call('ZADD', P .. ':proofs', 'LT', NOW, space)
  call('PERSIST', P .. ':runs:' .. space)
end

-- May a look still say what is missing? Not once it is old, or if something has changed since, or if
-- a later one failed.
local function is_fresh(batch, looked, found, good_for)
  local failed = tonumber(call('HGET', P .. ':gaps', space_of(batch)) or '0')
  return NOW - looked <= tonumber(good_for) and failed <= looked
    and call('HGET', batch_key(batch.id), 'seen') == found
end

-- Nothing is to be read back there any more.
local function rest_space(space)
  if call('EXISTS', P .. ':doubts:' .. space) == 1 then return false end
  call('PEXPIRE', P .. ':runs:' .. space, RUNS_KNOWN_MS)
  if call('HEXISTS', P .. ':gates', 'unread:' .. space) == 1 then return false end
  call('ZREM', P .. ':proofs', space)
  call('HDEL', P .. ':unreadable', space)
  call('HDEL', P .. ':gaps', space)
  return true
end

-- To be called while the batch's lane is still known, that is before `close_if_settled`.
local function end_doubt(batch)
  local space = space_of(batch)
  call('ZREM', P .. ':doubts:' .. space, batch.id)
  call('HDEL', batch_key(batch.id), 'seen', 'held', 'changed', 'doubted', 'looked', 'span')
  rest_space(space)
end
