#!lua flags=allow-oom
-- forget: begins a new generation of identities in time, and drops an old one, a bounded piece a
-- call, when nothing in it is unsettled and its last settling is a window old. What is still
-- unsettled when a third generation stands behind it moves on into the newest.
-- KEYS[1] prefix
-- ARGV[1] dedupe window, ms   ARGV[2] buckets, batches, or documents that move on, a call
-- Reply: 'rested', 'began', 'moved', 'dropping' or 'dropped'
-- include: base generations lanes batches feed
local window, piece = tonumber(ARGV[1]), tonumber(ARGV[2])
local BUCKETS, MOST_GENERATIONS = 65536, 3
local living = generations()
local oldest, newest = living[1], living[#living]

local function fields_of(generation)
  local f = call('HMGET', P .. ':g' .. generation, 'first', 'opened', 'settled', 'unsettled', 'at')
  return {
    first = tonumber(f[1]), opened = tonumber(f[2]), settled = tonumber(f[3]),
    unsettled = tonumber(f[4]), at = tonumber(f[5] or '0'),
  }
end

local function begin_next()
  local last = tonumber(call('HGET', P .. ':meta', 'batch') or '0')
  local current = fields_of(newest)
  if #living >= MOST_GENERATIONS or NOW - current.opened < window / 2 then return false end
  if last < current.first then return false end
  local number = newest + 1
  begin_generation(number)
  living[#living + 1] = number
  call('HSET', P .. ':meta', 'generations', table.concat(living, ' '))
  return true
end

-- The batches of the oldest generation, by numbers, from where the last call stopped.
local function next_batches(state)
  local last = tonumber(call('HGET', P .. ':g' .. living[2], 'first')) - 1
  local from = math.max(state.first, state.at)
  return from, math.min(from + piece - 1, last), last
end

-- What a batch was split off from leads late proofs to it, and stays for as long.
local function keep_with_origins(id)
  while id and call('HGET', batch_key(id), 'g') == oldest do
    call('HSET', batch_key(id), 'g', newest)
    call('SREM', P .. ':kept:' .. oldest, id)
    call('SADD', P .. ':kept:' .. newest, id)
    id = call('HGET', batch_key(id), 'from')
  end
end

local function move_on(batch)
  local digests = call('HGET', batch_key(batch.id), 'd')
  local moved = 0
  for place = 1, batch.n do
    if string.find(string.sub(batch.s, place, place), UNSETTLED) then
      local digest = string.sub(digests, (place - 1) * DIGEST_BYTES + 1, place * DIGEST_BYTES)
      call('HDEL', bucket(oldest, digest), rest(digest))
      call('HSET', bucket(newest, digest), rest(digest), batch.id * PLACES + place - 1)
      moved = moved + 1
    end
  end
  keep_with_origins(batch.id)
  call('HINCRBY', P .. ':g' .. oldest, 'unsettled', -moved)
  call('HINCRBY', P .. ':g' .. newest, 'unsettled', moved)
  return moved
end

local function move_if_unsettled(id)
  local batch = load_batch(id)
  if not batch or batch.g ~= oldest or not string.find(batch.s, UNSETTLED) then return 0 end
  return move_on(batch)
end

local function move_piece(state)
  local from, till, last = next_batches(state)
  local moved = 0
  for id = from, till do
    moved = moved + move_if_unsettled(id)
    if moved >= piece then
      till = id
      break
    end
  end
  if till >= last then
    for _, id in ipairs(call('SRANDMEMBER', P .. ':kept:' .. oldest, piece)) do move_if_unsettled(id) end
    till = state.first - 1
  end
  call('HSET', P .. ':g' .. oldest, 'at', till + 1)
end

-- Calls that are still open then are lost sight of: that is what is not counted otherwise.
local function drop_batch(id)
  local f = call('HMGET', batch_key(id), 'g', 'account', 'y')
  if f[1] ~= oldest then return end
  local _, n = string.gsub(f[3] or '', 'o', 'o')
  count(f[2], 'open', -n)
  local ids = n > 0 and call('HGET', batch_key(id), 'ids')
  if ids and is_fed('calls') then
    local batch, lines, known = load_batch(id), {}, lines_of(ids)
    for place in string.gmatch(f[3], '()o') do lines[#lines + 1] = known[place] or '' end
    tell_ids(batch, 'lost_sight', table.concat(lines, '\n'), { o = string.rep('l', n) })
  end
  call('UNLINK', batch_key(id), payload_key(id))
end

-- Batches that have gone are followed no more; others of that age are, while they are in a younger
-- generation.
local function end_following()
  for _, space in ipairs(call('ZRANGE', P .. ':follows', 0, -1)) do
    for _, key in ipairs({ P .. ':calls:' .. space, P .. ':opened:' .. space }) do
      for _, id in ipairs(call('ZRANGEBYSCORE', key, '-inf', NOW - window)) do
        if call('EXISTS', batch_key(id)) == 0 then call('ZREM', key, id) end
      end
    end
    if call('EXISTS', P .. ':calls:' .. space, P .. ':later:' .. space) == 0 then
      call('ZREM', P .. ':follows', space)
      call('HDEL', P .. ':searched', space)
    end
  end
end

-- First the buckets (`bucket` counts them), then the batches (`at`), then what is left.
local function drop_piece(state)
  local at = tonumber(call('HGET', P .. ':g' .. oldest, 'bucket') or '0')
  if at < BUCKETS then
    local keys = {}
    for i = at, math.min(at + piece, BUCKETS) - 1 do
      keys[#keys + 1] = P .. ':i' .. oldest .. ':' .. string.char(math.floor(i / 256), i % 256)
    end
    call('UNLINK', unpack(keys))
    call('HSET', P .. ':g' .. oldest, 'bucket', at + piece, 'at', state.first)
    return 'dropping'
  end
  local from, till, last = next_batches(state)
  for id = from, till do drop_batch(id) end
  call('HSET', P .. ':g' .. oldest, 'at', till + 1)
  if till < last then return 'dropping' end
  local kept = call('SPOP', P .. ':kept:' .. oldest, piece)
  for _, id in ipairs(kept) do drop_batch(id) end
  if #kept > 0 then return 'dropping' end
  table.remove(living, 1)
  call('UNLINK', P .. ':g' .. oldest)
  end_following()
  call('HSET', P .. ':meta', 'generations', table.concat(living, ' '))
  return 'dropped'
end

if begin_next() then return 'began' end
if #living == 1 then return 'rested' end
local state = fields_of(oldest)
local last_change = math.max(state.settled, tonumber(call('HGET', P .. ':g' .. living[2], 'opened')))
if last_change + window > NOW then return 'rested' end
if state.unsettled <= 0 then return drop_piece(state) end
if #living < MOST_GENERATIONS then return 'rested' end
move_piece(state)
return 'moved'
