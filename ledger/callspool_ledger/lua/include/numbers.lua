-- The documents of a group, and the numbers of identities: a known identity with another number is a conflict.
-- Needs: batches claims
local in_hand = {} -- batches of this call by their numbers
local numbers_read = {} -- digests of numbers of other batches

local function split(payload)
  local found = {}
  for document in string.gmatch(payload, '[^\30]+') do found[#found + 1] = document end
  return found
end

local function digest_of(group, i)
  return sub(group.digests, (i - 1) * DIGEST_BYTES + 1, i * DIGEST_BYTES)
end

local function number_of(group, i)
  return sub(group.numbers, (i - 1) * NUMBER_BYTES + 1, i * NUMBER_BYTES)
end

-- The digest of the number at a place; `claimed` are places of the group at hand in its order that
-- the batch has not taken in yet.
local function number_at(value, group, claimed)
  local id, place = math.floor(value / PLACES), value % PLACES
  local batch = in_hand[id]
  if batch and place >= batch.n then return number_of(group, claimed[place - batch.n + 1]) end
  if not batch and not numbers_read[id] then
    numbers_read[id] = call('HGET', batch_key(id), 'f') or ''
  end
  return sub(batch and batch.f or numbers_read[id], place * NUMBER_BYTES + 1, (place + 1) * NUMBER_BYTES)
end

-- Does a known identity belong to another number? Nothing follows from a number that is not known.
local function is_conflict(value, group, i, claimed)
  local number = number_of(group, i)
  if number == '' or number == NO_NUMBER then return false end
  local known = number_at(value, group, claimed)
  return known ~= '' and known ~= NO_NUMBER and known ~= number
end
