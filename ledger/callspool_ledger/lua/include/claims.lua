-- Claiming identities: each belongs to one place of one batch, in the newest generation.
-- Needs: generations batches
local sub = string.sub
local living = generations()
local newest = living[#living]

-- May a known identity be accepted anew? Dead and expired documents may, and cancelled ones if a list
-- was the reason, or an operator allowed it; dead ones that still have their identity as an `X` were
-- dropped.
local function is_replaceable(value)
  local id, place = math.floor(value / PLACES), value % PLACES + 1
  local old = load_batch(id)
  if not old then return false end -- claimed by this very step
  local letter = sub(old.s, place, place)
  if letter == 'x' then
    old.s = sub(old.s, 1, place - 1) .. 'X' .. sub(old.s, place + 1)
    call('HSET', batch_key(id), 's', old.s)
    move(old, 'x', 'X', 1)
    if close_if_settled(old) then call('ZREM', P .. ':dead', id) end
    return true
  end
  return letter == 'K' or letter == 'e' or letter == 'X'
end

local newest_buckets = P .. ':i' .. newest .. ':' -- with two bytes more, what `bucket` names

-- Claims the i-th identity for a place in a batch; false if it is known, and the place that has it.
-- The commonest step of all: it makes no string that it does not need.
local function claim(digests, i, value)
  local at = (i - 1) * DIGEST_BYTES + 1
  local name = sub(digests, at, at + BUCKET_BYTES - 1)
  local field = sub(digests, at + BUCKET_BYTES, at + DIGEST_BYTES - 1)
  for k = 1, #living - 1 do
    local older = P .. ':i' .. living[k] .. ':' .. name
    local known = call('HGET', older, field)
    if known then
      if not is_replaceable(tonumber(known)) then return false, tonumber(known) end
      call('HDEL', older, field)
    end
  end
  local key = newest_buckets .. name
  if call('HSETNX', key, field, value) == 1 then return true end
  local known = tonumber(call('HGET', key, field))
  if not is_replaceable(known) then return false, known end
  call('HSET', key, field, value)
  return true
end
