-- The documents of a group, and the numbers of identities: a known identity with another number is a conflict.
-- Needs: batches claims
local find, concat = string.find, table.concat
local in_hand = {} -- batches of this call by their numbers
local numbers_read = {} -- digests of numbers of other batches

-- Where each of the joined documents begins, and where one behind the last would.
local function starts_of(payload)
  local starts, n, at = { 1 }, 1, find(payload, '\30', 1, true)
  while at do
    n = n + 1
    starts[n] = at + 1
    at = find(payload, '\30', at + 1, true)
  end
  starts[n + 1] = #payload + 2
  return starts
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
