-- Identities are kept in generations, so that old ones can be dropped whole (see forget.lua).
-- P:meta `generations` lists the living ones, oldest first; P:g<G> holds for each: `first` (its
-- first batch), `opened`, `settled` (the last time one of its documents was settled), `unsettled`.
local BUCKET_BYTES = 2
local DIGEST_BYTES = 12
local NUMBER_BYTES = 4 -- of a digest of a document's number; all zero where it is not known
local NO_NUMBER = string.rep('\0', NUMBER_BYTES)
local PLACES = 1024 -- a batch holds at most 1,000 documents: identity = batch * PLACES + place

local function begin_generation(number)
  local first = tonumber(call('HGET', P .. ':meta', 'batch') or '0') + 1
  call('HSET', P .. ':g' .. number, 'first', first, 'opened', NOW, 'settled', 0, 'unsettled', 0)
end

-- The living generations, oldest first, as numbers in a table; begins the first one if need be.
local function generations()
  local listed = call('HGET', P .. ':meta', 'generations')
  if not listed then
    begin_generation(1)
    call('HSET', P .. ':meta', 'generations', '1')
    return { '1' }
  end
  local found = {}
  for number in string.gmatch(listed, '%d+') do found[#found + 1] = number end
  return found
end

local function bucket(generation, digest)
  return P .. ':i' .. generation .. ':' .. string.sub(digest, 1, BUCKET_BYTES)
end

local function rest(digest)
  return string.sub(digest, BUCKET_BYTES + 1)
end

-- The digests of numbers that a batch holds, with unknown ones where none was written.
local function numbers_of(written, documents)
  local known = written or ''
  return known .. string.rep('\0', NUMBER_BYTES * documents - #known)
end
