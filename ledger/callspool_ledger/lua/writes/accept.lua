#!lua
-- accept: deduplicates the documents of messages and appends the new ones to their lanes.
-- A message that is no longer pending was accepted before and counts nothing.
-- KEYS[1] prefix   KEYS[2] stream of the messages
-- ARGV[1] consumer group   ARGV[2] documents a batch   ARGV[3] bytes a body   ARGV[4] linger, ms
-- ARGV[5] wake-ups at most   ARGV[6] bytes that each document adds to a body
-- ARGV[7] refused documents to keep   then, for each message:
--   entry id, documents counted as spooled, number of groups, number of refused documents,
--     traceparent ('': none), name of the key of the HTTP intake ('': none);
--   for each group: lane, account, space, campaign, pilot, context, schedule, bytes of an empty
--     body, expiry in ms (0: none), reason why they cannot be sent ('' if they can), kind of the
--     list of those who must not be called ('': on none), digests, digests of their numbers ('' if they are not known), documents joined by \30,
--     class of zones ('' where their campaign has no hours);
--   for each refused document: account, JSON record
-- Reply: for each message {accepted, duplicate, conflict, refused, {accepted, duplicate and conflict
--   of each group}, {batches that documents went to}}, or {} if it was accepted before. A conflict is
--   a known identity with another number.
-- include: base generations lanes batches feed roster server epochs claims numbers suppressing messages campaigns
local group_name, batch_size, batch_bytes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local linger, wake_limit, overhead = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local refused_kept = tonumber(ARGV[7])

local generation_start = tonumber(call('HGET', P .. ':g' .. newest, 'first'))
local closed = 0
local touched = {}
local at_hand, lanes_at_hand = {}, {} -- open batches that this call has filled and not stored yet
local owners = {} -- accounts that this call has accepted documents for
local trace, key, reached = '', '', {} -- of the message at hand

local function register_lane(group)
  if call('SADD', P .. ':lanes', group.lane) == 0 then return end
  call('HSET', lane_key(group.lane), 'account', group.account, 'space', group.space,
    'campaign', group.campaign, 'pilot', group.pilot, 'context', group.context,
    'schedule', group.schedule, 'head', group.head, 'each', overhead, 'open', '', 'ring', '0',
    'waiting', 0, 'unsettled', 0)
  if group.zones ~= '' then
    call('HSET', lane_key(group.lane), 'zones', group.zones)
    want_hours(campaign_key(group.account, group.campaign), group.zones)
  end
  count_lanes(group.account, group.space, group.campaign, 1)
  recount_gate_of(group.lane)
  register_scope(group)
  read_back_if_new(group.account, group.space)
end

local function begin_batch(group)
  local batch = {
    id = new_batch_number(), group = group, lane = group.lane, account = group.account,
    g = newest, n = 0, before = 0, z = group.head, s = '', d = '', f = '', o = NOW, a = '', x = '',
    soonest = 0, keys = '', pieces = {}, letter = 'w', phase = 'open',
  }
  in_hand[batch.id] = batch
  return batch
end

-- The lane's open batch; one of an older generation is closed, since new identities go elsewhere.
local function open_batch(group)
  local batch = at_hand[group.lane]
  if batch then
    batch.group = group
    return batch
  end
  lanes_at_hand[#lanes_at_hand + 1] = group.lane
  local id = call('HGET', lane_key(group.lane), 'open')
  if not id or id == '' then return begin_batch(group) end
  if tonumber(id) < generation_start then
    call('HSET', lane_key(group.lane), 'open', '')
    enqueue(load_batch(id), false)
    closed = closed + 1
    return begin_batch(group)
  end
  local f = call('HMGET', batch_key(id), 'n', 'z', 's', 'd', 'o', 'a', 'x', 'soonest', 'f',
    'keys')
  local batch = {
    id = tonumber(id), group = group, lane = group.lane, account = group.account, g = newest,
    n = tonumber(f[1]), before = tonumber(f[1]), z = tonumber(f[2]), s = f[3], d = f[4],
    o = tonumber(f[5]), a = f[6], x = f[7], soonest = tonumber(f[8]), pieces = {}, letter = 'w',
    phase = 'open', f = numbers_of(f[9], tonumber(f[1])), keys = f[10] or '',
  }
  in_hand[batch.id] = batch
  return batch
end

local function add(batch, payload, digests, numbers, bytes, n)
  if n == 0 then return end
  local expires = batch.group.expires
  batch.a = extend_run(batch.a, batch.n, NOW - batch.o)
  batch.x = extend_run(batch.x, batch.n, expires)
  batch.keys = extend_names(batch.keys, batch.n, key)
  if expires > 0 and (batch.soonest == 0 or expires < batch.soonest) then batch.soonest = expires end
  batch.pieces[#batch.pieces + 1] = payload
  batch.n, batch.z = batch.n + n, batch.z + bytes
  batch.s = batch.s .. string.rep(batch.letter, n)
  batch.d = batch.d .. digests
  batch.f = batch.f .. numbers_of(numbers, n)
  reached[#reached + 1] = batch.id
  if trace ~= '' then keep_trace(batch.id, trace) end
end

local function store(batch)
  local added = batch.n - batch.before
  if added == 0 then return end
  register_lane(batch.group)
  call('HSET', batch_key(batch.id), 'lane', batch.lane, 'account', batch.account, 'g', batch.g,
    'n', batch.n, 'z', batch.z, 's', batch.s, 'd', batch.d, 'f', batch.f, 'o', batch.o,
    'a', batch.a, 'x', batch.x, 'soonest', batch.soonest, 'phase', batch.phase)
  if batch.keys ~= '' then call('HSET', batch_key(batch.id), 'keys', batch.keys) end
  call('RPUSH', payload_key(batch.id), unpack(batch.pieces))
  count(batch.account, 'accepted', added)
  count(batch.account, STATE[batch.letter], added)
  call('HINCRBY', P .. ':g' .. newest, 'unsettled', added)
  call('HINCRBY', lane_key(batch.lane), 'unsettled', added)
  if batch.letter == 'w' then
    call('HINCRBY', P .. ':counts', 'waiting', added)
    call('HINCRBY', lane_key(batch.lane), 'waiting', added)
    if batch.before == 0 then
      call('ZADD', P .. ':waiting:' .. batch.account, batch.o, batch.id)
    end
  end
end

local function close(batch)
  store(batch)
  if batch.n == 0 then return end
  call('HSET', lane_key(batch.lane), 'open', '')
  enqueue(batch, false)
  closed = closed + 1
end

local function leave_open(batch)
  store(batch)
  if batch.n == batch.before then return end
  call('HSET', lane_key(batch.lane), 'open', batch.id)
  if batch.before == 0 then call('ZADD', P .. ':due', batch.o + linger, 'L' .. batch.lane) end
  touched[batch.lane] = batch
end

-- All documents of the group fit into the batch: one piece, untouched if all of it is new. Tells how
-- many were accepted, and how many are conflicts.
local function append_whole(batch, group, n, bytes)
  local kept, conflicts = {}, 0
  for i = 1, n do
    local is_new, known = claim(group.digests, i, batch.id * PLACES + batch.n + #kept)
    if is_new then
      kept[#kept + 1] = i
    elseif is_conflict(known, group, i, kept) then
      conflicts = conflicts + 1
    end
  end
  if #kept == n then
    add(batch, group.payload, group.digests, group.numbers, bytes, n)
    return n, 0
  end
  local documents, pieces, digests, numbers, size = split(group.payload), {}, {}, {}, 0
  for k, i in ipairs(kept) do
    pieces[k], digests[k], numbers[k] = documents[i], digest_of(group, i), number_of(group, i)
    size = size + #documents[i] + overhead
  end
  add(batch, table.concat(pieces, '\30'), table.concat(digests), table.concat(numbers), size, #kept)
  return #kept, conflicts
end

-- Document by document: fills the open batch, closes it, and goes on with the next.
local function append_each(batch, group, n)
  local documents, accepted, conflicts = split(group.payload), 0, 0
  local pieces, digests, numbers, claimed, size = {}, {}, {}, {}, 0
  local function flush()
    add(batch, table.concat(pieces, '\30'), table.concat(digests), table.concat(numbers), size, #pieces)
    pieces, digests, numbers, claimed, size = {}, {}, {}, {}, 0
  end
  for i = 1, n do
    local bytes = #documents[i] + overhead
    local held = batch.n + #pieces
    if held >= batch_size or (held > 0 and batch.z + size + bytes > batch_bytes) then
      flush()
      close(batch)
      batch, held = begin_batch(group), 0
    end
    local is_new, known = claim(group.digests, i, batch.id * PLACES + held)
    if is_new then
      pieces[#pieces + 1], digests[#digests + 1] = documents[i], digest_of(group, i)
      numbers[#numbers + 1], claimed[#claimed + 1] = number_of(group, i), i
      size = size + bytes
      accepted = accepted + 1
    elseif is_conflict(known, group, i, claimed) then
      conflicts = conflicts + 1
    end
  end
  flush()
  return accepted, conflicts, batch
end

-- Documents that cannot be sent at all are accepted and dead at once, a batch each.
local function bury_each(group, n)
  local accepted, conflicts, buried = 0, 0, {}
  for i, document in ipairs(split(group.payload)) do
    local batch = begin_batch(group)
    batch.letter, batch.phase = 'x', 'buried'
    local is_new, known = claim(group.digests, i, batch.id * PLACES)
    if is_new then
      add(batch, document, digest_of(group, i), number_of(group, i), #document + overhead, 1)
      store(batch)
      call('HSET', batch_key(batch.id), 'why', group.reason)
      call('ZADD', P .. ':dead', NOW, batch.id)
      count(batch.account, 'died|too_large', 1)
      accepted = accepted + 1
      buried[accepted] = document
    elseif is_conflict(known, group, i, {}) then
      conflicts = conflicts + 1
    end
  end
  tell_group(group, 'dead', buried, 'too_large')
  return accepted, n - accepted - conflicts, conflicts
end

local function store_cancelled(batch)
  if batch.n == 0 then return end
  call('HSET', batch_key(batch.id), 'lane', batch.lane, 'account', batch.account, 'g', batch.g,
    'n', batch.n, 's', string.rep('K', batch.n), 'f', batch.f, 'o', NOW, 'phase', 'done',
    'settled', NOW, 'seal', seal_of(batch.d))
  if key ~= '' then call('HSET', batch_key(batch.id), 'keys', extend_names('', 0, key)) end
  note_suppressed(batch, string.rep('1', batch.n), batch.group.suppressed, batch.group.reason, batch.n)
  register_scope(batch.group)
  count(batch.account, 'accepted', batch.n)
  count(batch.account, 'cancelled', batch.n)
  call('HSET', P .. ':g' .. newest, 'settled', NOW)
  reached[#reached + 1] = batch.id
end

-- Documents that must not be called are accepted and cancelled at once, in batches of their own.
-- These are stored at the end: what the group holds twice is known, and does not come again.
local function cancel_group(group, n)
  local batch, kept, digests, numbers, conflicts = begin_batch(group), {}, {}, {}, 0
  local accepted, filled, cancelled = 0, {}, {}
  local documents = split(group.payload)
  local function fill()
    batch.n, batch.d = #kept, table.concat(digests)
    batch.f = numbers_of(table.concat(numbers), #kept)
    filled[#filled + 1], accepted = batch, accepted + #kept
  end
  for i = 1, n do
    if #kept >= batch_size then
      fill()
      batch, kept, digests, numbers = begin_batch(group), {}, {}, {}
    end
    local is_new, known = claim(group.digests, i, batch.id * PLACES + #kept)
    if is_new then
      kept[#kept + 1] = i
      cancelled[#cancelled + 1] = documents[i]
      digests[#kept], numbers[#kept] = digest_of(group, i), number_of(group, i)
    elseif is_conflict(known, group, i, kept) then
      conflicts = conflicts + 1
    end
  end
  fill()
  for _, each in ipairs(filled) do store_cancelled(each) end
  tell_group(group, 'cancelled', cancelled, group.reason)
  return accepted, n - accepted - conflicts, conflicts
end

-- Appends a group's documents; tells how many are new, how many were known, and how many are known
-- with another number.
local function append(group)
  local n = #group.digests / DIGEST_BYTES
  if group.suppressed ~= '' then return cancel_group(group, n) end
  if group.reason ~= '' then return bury_each(group, n) end
  local batch, accepted, conflicts = open_batch(group), nil, nil
  local bytes = #group.payload + n * overhead
  if batch.n + n <= batch_size and batch.z + bytes <= batch_bytes then
    accepted, conflicts = append_whole(batch, group, n, bytes)
  else
    accepted, conflicts, batch = append_each(batch, group, n)
  end
  at_hand[group.lane] = batch
  if accepted > 0 then owners[group.account] = true end
  return accepted, n - accepted - conflicts, conflicts
end

local function put_down()
  for _, lane in ipairs(lanes_at_hand) do
    local batch = at_hand[lane]
    if batch.n >= batch_size then close(batch) else leave_open(batch) end
  end
end

-- Names that nobody has documents for are counted as one: messages may hold any.
local function owner_of(account)
  local is_known = account == 'default' or owners[account]
    or call('SISMEMBER', P .. ':accounts', account) == 1
  return is_known and account or 'other'
end

local function refuse(account, document)
  count(owner_of(account), 'invalid', 1)
  call('LPUSH', P .. ':invalid', document)
  call('LTRIM', P .. ':invalid', 0, refused_kept - 1)
end

local function accept_message(i, groups, refused)
  local accepted, duplicate, conflict, each = 0, 0, 0, {}
  for _ = 1, groups do
    local group = read_group(i)
    local new, known, other = append(group)
    count(group.account, 'duplicate', known)
    count(group.account, 'conflict', other)
    accepted, duplicate, conflict = accepted + new, duplicate + known, conflict + other
    each[#each + 1], each[#each + 2], each[#each + 3] = new, known, other
    i = i + GROUP_ARGUMENTS
  end
  for _ = 1, refused do
    refuse(ARGV[i], ARGV[i + 1])
    i = i + REFUSED_ARGUMENTS
  end
  return { accepted, duplicate, conflict, refused, each, reached }
end

local reply, places = {}, begins()
local is_pending = pending(places)
local done, is_done, spooled = {}, {}, 0
for k, i in ipairs(places) do
  local entry = ARGV[i]
  trace, key, reached = ARGV[i + 4], ARGV[i + 5], {}
  if is_done[entry] or not (is_pending[entry]
      or #call('XPENDING', KEYS[2], group_name, entry, entry, 1) > 0) then
    reply[k] = {}
  else
    reply[k] = accept_message(i + MESSAGE_ARGUMENTS, tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]))
    done[#done + 1], is_done[entry] = entry, true
    spooled = spooled + tonumber(ARGV[i + 1])
  end
end
if #done > 0 then
  call('XACK', KEYS[2], group_name, unpack(done))
  call('XDEL', KEYS[2], unpack(done))
end
if spooled > 0 then call('HINCRBY', P .. ':counts', 'spooled', -spooled) end
put_down()
if linger == 0 then
  for lane, batch in pairs(touched) do
    if call('HGET', lane_key(lane), 'open') == tostring(batch.id) then
      call('HSET', lane_key(lane), 'open', '')
      enqueue(batch, false)
      closed = closed + 1
    end
  end
end
if closed > 0 then wake(closed, wake_limit) end
return reply
