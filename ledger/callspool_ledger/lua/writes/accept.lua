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
--     class of zones ('' where their campaign has no hours), lists that cleared them ('' for none);
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
local added = {} -- counters of the installation and of the generation, written once at the end
local registered, in_ring = {}, {} -- lanes that this call has seen to
local at_hand, lanes_at_hand = {}, {} -- open batches that this call has filled and not stored yet
local owners = {} -- accounts that this call has accepted documents for
local trace, key, reached = '', '', {} -- of the message at hand

local function register_lane(group)
  if registered[group.lane] then return end
  registered[group.lane] = true -- what it holds from now on keeps it
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
    soonest = 0, keys = '', pieces = {}, letter = 'w', phase = 'open', clear = group.clear,
  }
  in_hand[batch.id] = batch
  return batch
end

-- The lane's open batch; one of an older generation is closed, since new identities go elsewhere.
local function open_batch(group)
  local batch = at_hand[group.lane]
  if batch then
    if batch.clear ~= group.clear then batch.clear = '' end
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
  local f = call('HMGET', batch_key(id), 'n', 'z', 's', 'd', 'o', 'a', 'x', 'soonest', 'f', 'keys', 'clear')
  local batch = {
    id = tonumber(id), group = group, lane = group.lane, account = group.account, g = newest,
    n = tonumber(f[1]), before = tonumber(f[1]), z = tonumber(f[2]), s = f[3], d = f[4],
    o = tonumber(f[5]), a = f[6], x = f[7], soonest = tonumber(f[8]), pieces = {}, letter = 'w',
    phase = 'open', f = numbers_of(f[9], tonumber(f[1])), keys = f[10] or '', is_listed = true,
    clear = f[11] == group.clear .. ' ' .. f[1] and group.clear or '',
  }
  in_hand[batch.id] = batch
  return batch
end

-- Adds the documents at some places of a group, in their order; neighbours are copied together.
-- `starts`: where each document begins, and where one behind the last would.
local function add(batch, group, places, starts, bytes)
  local n, expires = #places, group.expires
  if n == 0 then return end
  batch.a = extend_run(batch.a, batch.n, NOW - batch.o)
  batch.x = extend_run(batch.x, batch.n, expires)
  batch.keys = extend_names(batch.keys, batch.n, key)
  if expires > 0 and (batch.soonest == 0 or expires < batch.soonest) then batch.soonest = expires end
  local pieces, first = {}, places[1]
  for k = places[n] - first == n - 1 and n or 1, n do
    local last = places[k]
    if places[k + 1] ~= last + 1 then
      pieces[#pieces + 1] = sub(group.payload, starts[first], starts[last + 1] - 2)
      batch.d = batch.d .. sub(group.digests, (first - 1) * DIGEST_BYTES + 1, last * DIGEST_BYTES)
      local numbers = sub(group.numbers, (first - 1) * NUMBER_BYTES + 1, last * NUMBER_BYTES)
      batch.f = batch.f .. numbers_of(numbers, last - first + 1)
      first = places[k + 1]
    end
  end
  batch.pieces[#batch.pieces + 1] = pieces[2] and concat(pieces, '\30') or pieces[1]
  batch.n, batch.z = batch.n + n, batch.z + bytes
  batch.s = batch.s .. string.rep(batch.letter, n)
  reached[#reached + 1] = batch.id
  if trace ~= '' then keep_trace(batch.id, trace) end
end

local function add_up(key, what, n)
  local sums = added[key] or {}
  added[key], sums[what] = sums, (sums[what] or 0) + n
end

local function store(batch)
  local n = batch.n - batch.before
  if n == 0 then return end
  register_lane(batch.group)
  local phase = { 'phase', batch.phase }
  if batch.phase == 'queued' then phase = { 'phase', 'queued', 'ready', NOW } end
  call('HSET', batch_key(batch.id), 'lane', batch.lane, 'account', batch.account, 'g', batch.g,
    'n', batch.n, 'z', batch.z, 's', batch.s, 'd', batch.d, 'f', batch.f, 'o', batch.o,
    'a', batch.a, 'x', batch.x, 'soonest', batch.soonest, unpack(phase))
  if batch.keys ~= '' then call('HSET', batch_key(batch.id), 'keys', batch.keys) end
  if batch.clear ~= '' then call('HSET', batch_key(batch.id), 'clear', batch.clear .. ' ' .. batch.n) end
  call('RPUSH', payload_key(batch.id), unpack(batch.pieces))
  add_up(P .. ':counts', batch.account .. '|accepted', n)
  add_up(P .. ':counts', batch.account .. '|' .. STATE[batch.letter], n)
  add_up(P .. ':g' .. newest, 'unsettled', n)
  call('HINCRBY', lane_key(batch.lane), 'unsettled', n)
  if batch.letter == 'w' then
    add_up(P .. ':counts', 'waiting', n)
    call('HINCRBY', lane_key(batch.lane), 'waiting', n)
    if batch.before == 0 then
      call('ZADD', P .. ':waiting:' .. batch.account, batch.o, batch.id)
    end
  end
end

local function close(batch)
  if batch.n == 0 then return end
  if batch.is_listed then call('HSET', lane_key(batch.lane), 'open', '') end
  closed = closed + 1
  if batch.n == batch.before then return enqueue(batch, false) end
  batch.phase = 'queued'
  store(batch)
  call('RPUSH', queue_key(batch.lane), batch.id)
  if not in_ring[batch.lane] then join_ring(batch.lane, batch.account) end
  in_ring[batch.lane] = true
end

local function leave_open(batch)
  store(batch)
  if batch.n == batch.before then return end
  call('HSET', lane_key(batch.lane), 'open', batch.id)
  if batch.before == 0 then call('ZADD', P .. ':due', batch.o + linger, 'L' .. batch.lane) end
  touched[batch.lane] = batch
end

-- Adds what is new of a group to the batch; where that is full, it is closed and the next one begun.
-- Tells how many are new, how many are conflicts, and which batch is open now.
local function append_new(batch, group, n)
  local starts, accepted, conflicts = starts_of(group.payload), 0, 0
  local kept, size, held = {}, 0, batch.n
  for i = 1, n do
    local bytes = starts[i + 1] - starts[i] - 1 + overhead
    if held >= batch_size or (held > 0 and batch.z + size + bytes > batch_bytes) then
      add(batch, group, kept, starts, size)
      close(batch)
      batch, kept, size, held = begin_batch(group), {}, 0, 0
    end
    local is_new, known = claim(group.digests, i, batch.id * PLACES + held)
    if is_new then
      kept[#kept + 1], size = i, size + bytes
      accepted, held = accepted + 1, held + 1
    elseif is_conflict(known, group, i, kept) then
      conflicts = conflicts + 1
    end
  end
  add(batch, group, kept, starts, size)
  return accepted, conflicts, batch
end

-- Documents that cannot be sent at all are accepted and dead at once, a batch each.
local function bury_each(group, n)
  local accepted, conflicts, buried, starts = 0, 0, {}, starts_of(group.payload)
  for i, document in ipairs(split(group.payload)) do
    local batch = begin_batch(group)
    batch.letter, batch.phase = 'x', 'buried'
    local is_new, known = claim(group.digests, i, batch.id * PLACES)
    if is_new then
      add(batch, group, { i }, starts, #document + overhead)
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
  local accepted, conflicts, batch = append_new(open_batch(group), group, n)
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
for name, sums in pairs(added) do
  for what, n in pairs(sums) do call('HINCRBY', name, what, n) end
end
if closed > 0 then wake(closed, wake_limit) end
return reply
