#!lua flags=allow-oom
-- sort: moves the documents of a batch that waits into the lanes of their classes of zones. They came
-- before their campaign had hours, or from a worker that did not know of it.
-- KEYS[1] prefix
-- ARGV[1] batch   ARGV[2] documents a batch   ARGV[3] bytes of a body   ARGV[4] linger, ms
-- ARGV[5] wake-ups at most   ARGV[6] lane   then, for each class: class, its lane, places `,1,5,`
--   counted from 1
-- Reply: how many documents moved; 0 if the batch does not wait there any more; -1 if the lane has
--   nothing to sort any more
-- include: base generations lanes batches parts campaigns
local PASSED = 1000 -- batches that are passed by in one step, at most
local batch_size, batch_bytes, linger = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local batch = load_batch(ARGV[1])

-- What was settled or forgotten while it waited would hold up the lane: only a take passes by it.
local function pass_by()
  for _ = 1, PASSED do
    local first = call('LINDEX', queue_key(ARGV[6]), 0)
    if not first then
      call('SREM', P .. ':unsorted', ARGV[6])
      return 0
    end
    local waits = load_batch(first)
    if waits and waits.phase == 'queued' then return 0 end
    call('LPOP', queue_key(ARGV[6]))
  end
  return 0
end

if not batch or batch.phase ~= 'queued' then return pass_by() end
local fields = { 'account', 'space', 'campaign', 'pilot', 'context', 'schedule', 'head', 'each' }
local of_lane = call('HMGET', lane_key(batch.lane), unpack(fields))
local overhead, closed, moved = tonumber(of_lane[8]), 0, {}
local record = campaign_of(of_lane[1], of_lane[3])
if not (record and record.timed) then
  call('SREM', P .. ':unsorted', batch.lane)
  return -1
end
if call('HEXISTS', P .. ':pauses', 'lane=' .. batch.lane) == 1 then return 0 end
if call('LREM', queue_key(batch.lane), 1, batch.id) == 0 then return 0 end

local f = call('HMGET', batch_key(batch.id), 'd', 'a', 'x', 'f', 'traces', 'keys')
local every = {}
for place = 1, batch.n do every[place] = place end
local documents, digests, numbers = documents_of(batch.id), f[1], numbers_of(f[4], batch.n)
local accepted, expiries = expand_run(f[2], every), expand_run(f[3], every)
local names = expand_run(f[6] or '', every, '')

local function register(lane, zones)
  want_hours(record.key, zones)
  if call('SADD', P .. ':lanes', lane) == 0 then return end
  local pairs_of = { 'zones', zones, 'open', '', 'ring', '0', 'waiting', 0, 'unsettled', 0 }
  for i, name in ipairs(fields) do
    pairs_of[#pairs_of + 1], pairs_of[#pairs_of + 2] = name, of_lane[i]
  end
  call('HSET', lane_key(lane), unpack(pairs_of))
  count_lanes(of_lane[1], of_lane[2], of_lane[3], 1)
  recount_gate_of(lane)
end

-- The lane's open batch, if its identities are kept where those of this batch are; else a new one.
local function batch_for(lane)
  local id = call('HGET', lane_key(lane), 'open')
  if id and id ~= '' then
    local o = call('HMGET', batch_key(id), 'g', 'n', 'z', 's', 'd', 'f', 'o', 'a', 'x', 'soonest', 'keys')
    local n, places = tonumber(o[2]), {}
    if o[1] == batch.g then
      for place = 1, n do places[place] = place end
      local times = expand_run(o[8], places)
      for place = 1, n do times[place] = times[place] + tonumber(o[7]) end
      return {
        id = tonumber(id), n = n, z = tonumber(o[3]), s = o[4], d = o[5], f = numbers_of(o[6], n),
        times = times, x = expand_run(o[9], places), soonest = tonumber(o[10]), names = expand_run(o[11] or '', places, ''),
        pieces = {},
      }
    end
    call('HSET', lane_key(lane), 'open', '')
    enqueue(load_batch(id), false)
    closed = closed + 1
  end
  return {
    id = new_batch_number(), n = 0, z = tonumber(of_lane[7]), s = '', d = '', f = '', times = {}, x = {},
    soonest = 0, names = {}, pieces = {}, is_new = true,
  }
end

local function add(to, place)
  local digest = string.sub(digests, (place - 1) * DIGEST_BYTES + 1, place * DIGEST_BYTES)
  call('HSET', bucket(batch.g, digest), rest(digest), to.id * PLACES + to.n)
  to.n, to.z, to.s = to.n + 1, to.z + #documents[place] + overhead, to.s .. 'w'
  to.d = to.d .. digest
  to.f = to.f .. string.sub(numbers, (place - 1) * NUMBER_BYTES + 1, place * NUMBER_BYTES)
  to.times[to.n], to.x[to.n] = tonumber(batch.o) + accepted[place], expiries[place]
  to.names[to.n] = names[place]
  if expiries[place] > 0 and (to.soonest == 0 or expiries[place] < to.soonest) then
    to.soonest = expiries[place]
  end
  to.pieces[#to.pieces + 1] = documents[place]
  moved[place] = to.id
end

local function store(to, lane)
  local first = to.times[1]
  for _, ms in ipairs(to.times) do first = math.min(first, ms) end
  local offsets = {}
  for place, ms in ipairs(to.times) do offsets[place] = string.format('%d', ms - first) end
  call('HSET', batch_key(to.id), 'lane', lane, 'account', batch.account, 'g', batch.g, 'n', to.n, 'z', to.z,
    's', to.s, 'd', to.d, 'f', to.f, 'o', string.format('%d', first), 'a', pack_run(offsets), 'x',
    pack_run(to.x), 'soonest', to.soonest, 'phase', 'open')
  local packed = pack_run(to.names, '')
  if packed ~= '' then call('HSET', batch_key(to.id), 'keys', packed) end
  if to.is_new and f[5] then call('HSET', batch_key(to.id), 'traces', f[5]) end
  call('RPUSH', payload_key(to.id), table.concat(to.pieces, '\30'))
  call('ZADD', P .. ':waiting:' .. batch.account, first, to.id)
  if to.is_new then call('SADD', P .. ':kept:' .. batch.g, to.id) end
end

local function close(to, lane)
  call('HSET', lane_key(lane), 'open', '')
  enqueue({ id = to.id, lane = lane, account = batch.account }, false)
  closed = closed + 1
end

-- Appends documents that were never tried to the open batch of their lane.
local function append(lane, places)
  local to = batch_for(lane)
  for _, place in ipairs(places) do
    local is_full = to.n >= batch_size or to.z + #documents[place] + overhead > batch_bytes
    if to.n > 0 and is_full then
      if #to.pieces > 0 then store(to, lane) end
      close(to, lane)
      to = batch_for(lane)
    end
    add(to, place)
  end
  store(to, lane)
  local living = generations()
  if to.n >= batch_size or linger == 0 or living[#living] ~= batch.g then return close(to, lane) end
  call('HSET', lane_key(lane), 'open', to.id)
  call('ZADD', P .. ':due', NOW + linger, 'L' .. lane)
end

-- Documents that were tried before keep their history: they become a batch of their own.
local function move_tried(lane, places)
  local new = move_part(batch, places, documents, batch.tries, lane)
  enqueue(new, true)
  closed = closed + 1
  for _, place in ipairs(places) do moved[place] = new.id end
end

-- Parts have no attempt of their own, but those of the batch that they come from.
local was_tried = batch.attempt > 0 or call('HEXISTS', batch_key(batch.id), 'from') == 1
local n = 0
for i = 7, #ARGV, 3 do
  local zones, lane, places = ARGV[i], ARGV[i + 1], {}
  for place in string.gmatch(ARGV[i + 2], '%d+') do
    if string.sub(batch.s, place, place) == 'w' then places[#places + 1] = tonumber(place) end
  end
  if #places > 0 then
    register(lane, zones)
    if was_tried then move_tried(lane, places) else append(lane, places) end
    for _, counted in ipairs({ 'waiting', 'unsettled' }) do
      call('HINCRBY', lane_key(lane), counted, #places)
      call('HINCRBY', lane_key(batch.lane), counted, -#places)
    end
    n = n + #places
  end
end
leave_behind(batch, moved)
if call('LLEN', queue_key(batch.lane)) == 0 then call('SREM', P .. ':unsorted', batch.lane) end
wake(closed, tonumber(ARGV[5]))
return n
