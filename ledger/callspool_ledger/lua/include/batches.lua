-- A batch: documents of one lane that are sent in one create-call. P:b<B> fields:
--   lane account g      lane, account and generation it belongs to
--   n z o               documents, bytes they will take in a body, when it was opened
--   s d                 a state letter and a digest a document
--   f                   a digest of the number a document, 4 bytes each, for as long as the batch is
--                       kept: it tells one id with two numbers; shorter where older workers wrote
--   a x soonest         runs `place:ms,` of acceptance (after o) and expiry; the soonest expiry
--   keys                runs `place:name,` of the keys of the HTTP intake that documents came with
--   phase               open, queued, resting, sending, doubt, buried, fresh, done
--   ready               queued: since when it could be sent
--   attempt taken taker the last attempt, when it began, and who holds it
--   lease quiet         of the last attempt: ms after which it cannot be under way any more, and ms
--                       without change before a document counts as missing, as its worker's
--                       settings have them: `usual answered`, the latter where the API answered
--   probe               `attempt:gate` of the last attempt that tried a closed gate
--   seal                digest of all digests: an answer names it, and never meets another batch
--   tries due           tries used up, and when a resting batch may be taken again
--   capped              resting because its numbers were called often enough: `calls|ms|whose`
--   missed              attempts that provably called none of its documents and may still count for
--                       caps, `taker/attempt ` each
--   clear               `lists n`: the lists that cleared its first n documents; they hold where n is all
--   m<A>                places that attempt A sent, where not all
--   t<A> r<A> p<A>      a proof of attempt A: task ids, run id, and its places, where not all that
--                       the attempt sent; further proofs are t<A>.2 and so on
--   unlooked            an attempt that was refused, as yet without a look whether it created something:
--                       `attempt taken refused marked documents since code`, the times in ms, but since,
--                       when it began by the server's clock, in seconds or `-`
--   marked              1 if the last attempt's documents carry its mark
--   doubted             in doubt: since when
--   seen changed held   and what the last look found, since when looks find the same, and why no
--                       look can prove it
--   looked span         when the last look was answered, and how long after the one before it began
--   said                what operators confirmed (words.lua)
--   proved              places that a late answer proved created while another attempt sends them
--   h why proof         attempts so far, the last reason, what a proof has to go by
--   to from             the parts that its `-` places moved into, runs of `batch*documents,` in the
--                       order of places; what it is a part of
--   traces              traceparents of the requests in it, the first ones of many, while unsettled
--   settled             when its last document was settled
local function batch_key(id)
  return P .. ':b' .. id
end

local function payload_key(id)
  return P .. ':p' .. id
end

local function new_batch_number()
  return call('HINCRBY', P .. ':meta', 'batch', 1)
end

local function load_batch(id)
  local f = call('HMGET', batch_key(id), 'lane', 'account', 'g', 'n', 's', 'phase', 'attempt',
    'tries', 'o', 'taken', 'taker', 'proved', 'seal', 'a', 'y')
  if not f[1] then return nil end
  return {
    id = id, lane = f[1], account = f[2], g = f[3], n = tonumber(f[4]), s = f[5], phase = f[6],
    attempt = tonumber(f[7] or '0'), tries = tonumber(f[8] or '0'), o = f[9],
    taken = f[10] or '0', taker = f[11] or '', proved = f[12], seal = f[13], a = f[14], y = f[15],
  }
end

-- Space, zones and campaign of the batch's lane; false where the lane is not known any more.
local function lane_of(batch)
  batch.of_lane = batch.of_lane or call('HMGET', lane_key(batch.lane), 'space', 'zones', 'campaign')
  return batch.of_lane
end

-- Writes fields of a batch: at once, or with `save` where there is a table `unsaved`.
local function put(batch, ...)
  local unsaved = batch.unsaved
  if not unsaved then return call('HSET', batch_key(batch.id), ...) end
  for _, each in ipairs({ ... }) do unsaved[#unsaved + 1] = each end
end

local function save(batch)
  call('HSET', batch_key(batch.id), unpack(batch.unsaved))
  batch.unsaved = nil
end

-- The parts that the `-` places of a batch moved into, one entry a place.
local function parts_of(batch)
  local parts = {}
  for part, size in string.gmatch(call('HGET', batch_key(batch.id), 'to') or '', '(%d+)%*(%d+),') do
    for _ = 1, tonumber(size) do parts[#parts + 1] = part end
  end
  return parts
end

local function seal_of(digests)
  return string.sub(redis.sha1hex(digests), 1, 8)
end

local LEFT = { x = 'dead_left', k = 'cancelled_left', K = 'cancelled_left', e = 'expired_left' }

-- Counts `n` documents of the batch out of one state and into another, in the same step.
local function move(batch, from, to, n)
  if n == 0 then return end
  count(batch.account, STATE[from], -n)
  count(batch.account, STATE[to], n)
  -- Proven after all: that it once was dead, cancelled or expired stays counted.
  if to == 'c' and LEFT[from] then count(batch.account, LEFT[from], n) end
  local waiting = (to == 'w' and n or 0) - (from == 'w' and n or 0)
  if waiting ~= 0 then
    call('HINCRBY', P .. ':counts', 'waiting', waiting)
    call('HINCRBY', lane_key(batch.lane), 'waiting', waiting)
  end
  if string.find(from, UNSETTLED) and not string.find(to, UNSETTLED) then
    call('HINCRBY', lane_key(batch.lane), 'unsettled', -n)
    call('HINCRBY', P .. ':g' .. batch.g, 'unsettled', -n)
    call('HSET', P .. ':g' .. batch.g, 'settled', NOW)
  end
end

-- Turns every document in state `from` into `to`; tells how many. Write the batch's `s` after it.
local function turn(batch, from, to)
  local states, n = string.gsub(batch.s, from, to)
  batch.s = states
  move(batch, from, to, n)
  return n
end

-- Adds one line to the batch's history: attempt, taken, now, documents, outcome, code, detail.
local function record_of(batch, attempt, taken, documents, outcome, code, detail)
  local line = cjson.encode({
    tonumber(attempt), tonumber(taken), NOW, documents, outcome, code, detail,
  })
  local history = call('HGET', batch_key(batch.id), 'h')
  put(batch, 'h', history and (history .. '\n' .. line) or line)
end

local function record(batch, documents, outcome, code, detail)
  record_of(batch, batch.attempt, batch.taken, documents, outcome, code, detail)
end

local keep_ids_of_closed -- feed.lua has it, which scripts without a feed do not include

-- A batch that was kept whole after its answer (`named.lua`) is so no more.
local function no_longer_fresh(batch)
  call('HINCRBY', lane_key(batch.lane), 'fresh', -1)
  call('HINCRBY', P .. ':meta', 'fresh', -batch.n)
  call('ZREM', P .. ':due', 'F' .. batch.id)
end

-- A batch without unsettled documents gives its memory back and keeps only what `show` tells.
local function close_if_settled(batch)
  if string.find(batch.s, UNSETTLED) then return false end
  if batch.phase == 'fresh' then no_longer_fresh(batch) end
  if keep_ids_of_closed then keep_ids_of_closed(batch) end
  call('UNLINK', payload_key(batch.id))
  call('HDEL', batch_key(batch.id), 'd', 'z', 'x', 'soonest', 'why', 'proof', 'due',
    'taker', 'lease', 'quiet', 'probe', 'proved', 'marked', 'traces', 'ready', 'missed', 'capped',
    'unlooked')
  put(batch, 'phase', 'done', 'settled', NOW)
  call('ZREM', P .. ':waiting:' .. batch.account, batch.id)
  forget_empty_lane(batch.lane)
  return true
end

-- Is this answer about the attempt that holds the batch now? The taker tells apart what has the
-- same number because Redis lost its last moments and counted anew.
local function is_current(batch, attempt, taker)
  return batch and batch.attempt == tonumber(attempt) and batch.phase == 'sending'
    and batch.taker == taker
end

-- Puts a batch with waiting documents into its lane, at the head or at the end.
local function enqueue(batch, at_head)
  call(at_head and 'LPUSH' or 'RPUSH', queue_key(batch.lane), batch.id)
  call('HSET', batch_key(batch.id), 'phase', 'queued', 'ready', NOW)
  join_ring(batch.lane, batch.account)
end

-- Its last attempt called none of the documents that wait again now: it is not to count for caps.
local MISSED_BYTES = 2000
local function note_missed(batch)
  local known = call('HGET', batch_key(batch.id), 'missed') or ''
  if #known > MISSED_BYTES then return known end
  local token = call('HGET', P .. ':meta', 'id') .. string.format('-%x ', batch.attempt)
  call('HSET', batch_key(batch.id), 'missed', known .. token)
  return known
end

-- A batch that rested may be taken again.
local function end_rest(batch)
  call('ZREM', P .. ':capped', batch.id)
  call('HDEL', batch_key(batch.id), 'capped')
  enqueue(batch, true)
end

-- Raw documents that were joined, one by one. Found by plain text: a pattern costs some 50 steps a letter.
local function split(joined)
  local found, first = {}, 1
  while first <= #joined do
    local behind = string.find(joined, '\30', first, true) or #joined + 1
    found[#found + 1] = string.sub(joined, first, behind - 1)
    first = behind + 1
  end
  return found
end

-- The raw documents of a batch, one table entry a place.
local function documents_of(id)
  return split(table.concat(call('LRANGE', payload_key(id), 0, -1), '\30'))
end
