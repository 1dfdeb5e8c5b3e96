#!lua flags=allow-oom
-- take: takes the next batch for one POST; lanes take turns. The same taker that asks again
-- (because a reply was lost) gets the batch that it already holds.
-- KEYS[1] prefix
-- ARGV[1] taker   ARGV[2] documents a batch   ARGV[3] bytes of the documents of a batch
-- ARGV[4...] accounts to send for, the first first
-- Reply: {batch, attempt, tries, account, lane, space, campaign, pilot, context, schedule,
--   states, payload pieces, gate it probes or '', ms of the take}; {} if nothing may be sent now;
--   {'again'} if there was more to look through than one call should.
-- include: base generations lanes batches parts
local taker, batch_size, batch_bytes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local STEPS = 200 -- expired batches and parked lanes passed over in one call, at most

local function reply_for(batch, gate)
  local lane = call('HMGET', lane_key(batch.lane), 'space', 'campaign', 'pilot', 'context', 'schedule')
  return {
    tostring(batch.id), tostring(batch.attempt), tostring(batch.tries), batch.account, batch.lane,
    lane[1], lane[2], lane[3], lane[4], lane[5], batch.s,
    call('LRANGE', payload_key(batch.id), 0, -1), gate, tostring(batch.taken),
  }
end

-- The gate that keeps a lane from sending, if any; and whether this take is its probe.
local function closed_gate(lane, account, space)
  for _, gate in ipairs(gates_of(lane, account, space)) do
    local closed = call('HGET', P .. ':gates', gate)
    if closed then
      local state = cjson.decode(closed)
      if state.probe ~= 'ready' then return gate, false end
      state.probe = 'out'
      call('HSET', P .. ':gates', gate, cjson.encode(state))
      return gate, true
    end
  end
end

-- Waiting documents whose time is over are expired here, so that none of them is ever sent.
local function expire(batch)
  local f = call('HMGET', batch_key(batch.id), 'x', 'soonest')
  if not f[2] or tonumber(f[2]) == 0 or tonumber(f[2]) > NOW then return end
  local places = {}
  for place = 1, batch.n do places[place] = place end
  local letters, expired = {}, 0
  for place, limit in ipairs(expand_run(f[1], places)) do
    local letter = string.sub(batch.s, place, place)
    if letter == 'w' and limit > 0 and limit <= NOW then
      letter, expired = 'e', expired + 1
    end
    letters[place] = letter
  end
  batch.s = table.concat(letters)
  call('HSET', batch_key(batch.id), 's', batch.s)
  move(batch, 'w', 'e', expired)
end

local function too_large(batch, waiting)
  if waiting > batch_size then return true end
  if waiting == 1 then return false end
  local bytes = tonumber(call('HGET', batch_key(batch.id), 'z'))
  return bytes > batch_bytes and waiting == batch.n
end

-- Takes the batch, or tells why not: 'settled' (nothing left to send) or 'split' (too large).
local function try_batch(batch)
  expire(batch)
  local _, waiting = string.gsub(batch.s, 'w', 'w')
  if waiting == 0 then
    close_if_settled(batch)
    return 'settled'
  end
  if too_large(batch, waiting) then
    split_waiting(batch, 'w', batch_size, batch_bytes, batch.tries)
    return 'split'
  end
  turn(batch, 'w', 's')
  batch.attempt, batch.taken = call('HINCRBY', P .. ':meta', 'attempt', 1), NOW
  call('HSET', batch_key(batch.id), 's', batch.s, 'phase', 'sending', 'attempt', batch.attempt,
    'taken', NOW, 'taker', taker)
  if waiting < batch.n then
    local sent = string.gsub(string.gsub(batch.s, '[^s]', '0'), 's', '1')
    call('HSET', batch_key(batch.id), 'm' .. batch.attempt, sent)
  end
  call('ZREM', P .. ':waiting:' .. batch.account, batch.id)
  call('HSET', P .. ':sending', taker, batch.id .. ':' .. batch.attempt)
  call('HSET', P .. ':meta', 'taken', NOW)
  return 'taken'
end

local function take_from(lane, account, gate, steps)
  while steps > 0 do
    local id = call('LPOP', queue_key(lane))
    if not id then return nil, steps end
    local batch = load_batch(id)
    local result = batch and try_batch(batch)
    if result == 'taken' then return reply_for(batch, gate), steps end
    steps = steps - 1
  end
  return nil, steps
end

-- Turns an account's ring until a lane gives a batch.
local function take_for(account, steps)
  local ring = P .. ':ring:' .. account
  while steps > 0 do
    local lane = call('LPOP', ring)
    if not lane then return nil, steps end
    local space = call('HGET', lane_key(lane), 'space')
    if space then
      call('HSET', lane_key(lane), 'ring', '0')
      local gate, is_probe = closed_gate(lane, account, space)
      if gate and not is_probe then
        call('SADD', P .. ':parked:' .. gate, lane)
      else
        local found
        found, steps = take_from(lane, account, gate or '', steps)
        if call('LLEN', queue_key(lane)) > 0 then join_ring(lane, account) end
        if found then return found, steps end
      end
    end
    steps = steps - 1
  end
  return nil, steps
end

local held = call('HGET', P .. ':sending', taker)
if held then
  local batch = load_batch(string.match(held, '^%d+'))
  return reply_for(batch, '')
end
local steps = STEPS
for i = 4, #ARGV do
  local throttled = tonumber(call('HGET', P .. ':throttled', ARGV[i]) or '0')
  if throttled <= NOW then
    local found
    found, steps = take_for(ARGV[i], steps)
    if found then return found end
  end
end
if steps <= 0 then return { 'again' } end
return {}
