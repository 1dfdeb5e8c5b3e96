#!lua flags=allow-oom
-- take: takes the next batch for one POST; lanes take turns. The same taker that asks again
-- (because a reply was lost) gets the batch that it already holds.
-- KEYS[1] prefix
-- ARGV[1] taker   ARGV[2] documents a batch   ARGV[3] bytes of a body
-- ARGV[4] 1 if the documents will carry their attempt's mark
-- ARGV[5] highest attempt that the caller knows of
-- ARGV[6] lease of the take, ms   ARGV[7] ms without change before a document counts as missing
-- ARGV[8] the same where the API itself answers   ARGV[9] the process, which is in the roster
-- ARGV[10...] accounts to send for, the first first
-- Reply: {batch, attempt, tries, account, lane, space, campaign, pilot, context, schedule,
--   states, payload pieces, gate it probes or '', ms of the take, seal, lone refusals of the
--   lane ('0' if nothing else waits there), 1 if the API has documents of its space that the
--   ledger does not know, traceparents, 1 if the guard is to be asked before anything is sent,
--   number of the last restart of Redis, earlier attempts of these documents that provably called none
--   of them, an earlier attempt that is to be looked into before anything is sent, which lists said of
--   all of them that they may be called ('' if none did), expired};
--   {'stranger'} if the process is not in the roster;
--   an error CUTOFF if Redis had replicas, and has had none in touch for a while;
--   {} if nothing may be sent now; {'again'} if there was more to look through than one
--   call should; {'none' or 'again', expired} if documents expired meanwhile: batch, account and
--   number for each batch.
-- include: base generations lanes batches feed parts roster server epochs campaigns
local taker, batch_size, batch_bytes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local process = ARGV[9]
local epoch = current_epoch(tonumber(ARGV[5]))
if not is_in_roster(process) then return { 'stranger' } end
if is_alone_too_long(replica_seen) then
  return redis.error_reply('CUTOFF its replicas are gone, and one of them may be the primary now')
end
local guarded, last_attempt = keep_longest(tonumber(ARGV[6]), tonumber(ARGV[7]))
local expired = {}
local STEPS = 200 -- expired batches and parked lanes passed over in one call, at most

local function reply_for(batch, gate)
  local lane = call('HMGET', lane_key(batch.lane), 'space', 'campaign', 'pilot', 'context', 'schedule',
    'refused', 'waiting')
  -- The last one of a lane has nobody that parking would keep from the same fault.
  local refused = tonumber(lane[7] or '0') > 0 and lane[6] or '0'
  local of_batch = batch.reported or call('HMGET', batch_key(batch.id), 'traces', 'missed', 'unlooked', 'clear')
  local lists, number = string.match(of_batch[4] or '', '^(%S+) (%d+)$')
  return {
    tostring(batch.id), tostring(batch.attempt), tostring(batch.tries), batch.account, batch.lane,
    lane[1], lane[2], lane[3], lane[4], lane[5], batch.s,
    call('LRANGE', payload_key(batch.id), 0, -1), gate, tostring(batch.taken), batch.seal,
    refused,
    call('EXISTS', P .. ':strays:' .. batch.account .. '|' .. lane[1]),
    of_batch[1] or '', guarded, tostring(epoch), of_batch[2] or '', of_batch[3] or '',
    tonumber(number) == batch.n and lists or '', expired,
  }
end

-- The gate that keeps a lane from sending, if any; and whether a batch may try it. That has to be
-- so for every gate that the lane stands behind.
local function closed_gate(lane, account, space)
  local gates, found = gates_of(lane, account, space), nil
  for i, closed in ipairs(call('HMGET', P .. ':gates', unpack(gates))) do
    if closed then
      if cjson.decode(closed).probe ~= 'ready' then return gates[i], false end
      found = found or gates[i]
    end
  end
  return found, true
end

-- What an operator paused that the lane belongs to, if anything.
local function pause_before(lane, account, space, campaign)
  local pauses = pauses_of(lane, account, space, campaign)
  for i, paused in ipairs(call('HMGET', P .. ':pauses', unpack(pauses))) do
    if paused then return pauses[i] end
  end
end

-- Whether nothing at all is parked or paused, and no campaign has a record, as a rule.
local is_all_open = call('EXISTS', P .. ':gates', P .. ':pauses', P .. ':campaigns') == 0
local ended = {} -- lanes whose campaign has ended, and when

-- Nil if the lane may send. Else the gate that a batch of it may try; or false, and it waits.
local function turned_away(lane, account)
  if is_all_open then return nil end
  local f = call('HMGET', lane_key(lane), 'space', 'campaign', 'zones')
  local record = campaign_of(account, f[2])
  if has_ended(record) then
    ended[lane] = record.ends
    return nil
  end
  local gate, may_try = closed_gate(lane, account, f[1])
  local pause = pause_before(lane, account, f[1], f[2])
  if pause then
    park(lane, pause)
    if gate and may_try then unpark(gate, 1) end -- no probe sends what is paused: another lane may
    return false
  end
  if gate and not may_try then
    park(lane, gate)
    return false
  end
  local bar, till
  if record then bar, till = bar_before(record, lane, f[3]) end
  if bar then
    set_aside(record, lane, bar, till)
    if gate then unpark(gate, 1) end
    return false
  end
  return gate, record and record.pace and record
end

local function send_probe(batch, gate)
  local state = cjson.decode(call('HGET', P .. ':gates', gate))
  state.probe = 'out'
  call('HSET', P .. ':gates', gate, cjson.encode(state))
  call('HSET', batch_key(batch.id), 'probe', batch.attempt .. ':' .. gate)
end

-- The gate that the batch's last attempt tries, or ''.
local function probe_of(batch)
  local probe = call('HGET', batch_key(batch.id), 'probe') or ''
  local attempt, gate = string.match(probe, '^(%d+):(.*)$')
  return tonumber(attempt) == batch.attempt and gate or ''
end

-- Waiting documents whose time is over, or whose campaign has ended, are expired here, so that none
-- of them is ever sent.
local function expire(batch, f)
  local is_over = ended[batch.lane]
  if not is_over and (not f[2] or tonumber(f[2]) == 0 or tonumber(f[2]) > NOW) then return end
  if is_over then call('HSET', batch_key(batch.id), 'ended', is_over) end
  local places = {}
  for place = 1, batch.n do places[place] = place end
  local letters, number, before = {}, 0, batch.s
  for place, limit in ipairs(expand_run(f[1], places)) do
    local letter = string.sub(batch.s, place, place)
    if letter == 'w' and (is_over or (limit > 0 and limit <= NOW)) then
      letter, number = 'e', number + 1
    end
    letters[place] = letter
  end
  batch.s = table.concat(letters)
  call('HSET', batch_key(batch.id), 's', batch.s)
  move(batch, 'w', 'e', number)
  tell(batch, 'expired', turned(batch, before, 'e'), { w = is_over and 'its campaign ended' })
  for _, each in ipairs({ tostring(batch.id), batch.account, number }) do
    expired[#expired + 1] = each
  end
end

local function too_large(waiting, bytes)
  if waiting > batch_size then return true end
  return waiting > 1 and bytes > batch_bytes
end

-- Takes the batch, or tells why not: 'settled' (nothing left to send) or 'split' (too large).
local function try_batch(batch)
  local f = call('HMGET', batch_key(batch.id), 'x', 'soonest', 'z', 'd', 'traces', 'missed', 'unlooked', 'clear')
  batch.reported = { f[5], f[6], f[7], f[8] }
  expire(batch, f)
  local _, waiting = string.gsub(batch.s, 'w', 'w')
  if waiting == 0 then
    close_if_settled(batch)
    return 'settled'
  end
  if too_large(waiting, tonumber(f[3])) then
    split_waiting(batch, 'w', batch_size, batch_bytes, batch.tries)
    return 'split'
  end
  turn(batch, 'w', 's')
  batch.attempt, batch.taken = last_attempt + 1, NOW
  batch.seal = batch.seal or seal_of(f[4])
  call('HSET', batch_key(batch.id), 's', batch.s, 'phase', 'sending', 'attempt', batch.attempt,
    'taken', NOW, 'taker', taker, 'seal', batch.seal, 'marked', ARGV[4], 'lease', ARGV[6],
    'quiet', ARGV[7] .. ' ' .. ARGV[8])
  if waiting < batch.n then
    local sent = string.gsub(string.gsub(batch.s, '[^s]', '0'), 's', '1')
    call('HSET', batch_key(batch.id), 'm' .. batch.attempt, sent)
  end
  call('ZREM', P .. ':waiting:' .. batch.account, batch.id)
  call('HSET', P .. ':sending', taker, batch.id .. ':' .. batch.attempt)
  call('HSET', P .. ':meta', 'attempt', string.format('%d', batch.attempt), 'taken', NOW)
  note_given(process, batch.attempt)
  return 'taken'
end

-- A late proof may have settled a batch while it stood in the queue: it is passed over.
local function take_from(lane, steps)
  while steps > 0 do
    local id = call('LPOP', queue_key(lane))
    if not id then return nil, steps end
    local batch = load_batch(id)
    if batch and batch.phase == 'queued' and try_batch(batch) == 'taken' then return batch, steps end
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
    call('HSET', lane_key(lane), 'ring', '0')
    local gate, paced = turned_away(lane, account)
    if gate ~= false then
      local batch
      batch, steps = take_from(lane, steps)
      if call('LLEN', queue_key(lane)) > 0 then join_ring(lane, account) end
      if batch then
        if gate then send_probe(batch, gate) end
        if paced then keep_pace(paced, select(2, string.gsub(batch.s, 's', ''))) end
        return reply_for(batch, gate or ''), steps
      end
      if gate then unpark(gate, 1) end -- it had nothing to send: another lane may try
    end
    steps = steps - 1
  end
  return nil, steps
end

local held = call('HGET', P .. ':sending', taker)
if held then
  local batch = load_batch(string.match(held, '^%d+'))
  return reply_for(batch, probe_of(batch))
end
local steps = STEPS
for i = 10, #ARGV do
  local throttled = tonumber(call('HGET', P .. ':throttled', ARGV[i]) or '0')
  if throttled <= NOW then
    local found
    found, steps = take_for(ARGV[i], steps)
    if found then return found end
  end
end
local word = steps <= 0 and 'again' or 'none'
if #expired > 0 then return { word, expired } end
return word == 'again' and { word } or {}
