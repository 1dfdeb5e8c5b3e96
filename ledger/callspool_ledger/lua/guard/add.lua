#!lua
-- add: puts numbers on a list. A number that is there for as long, or longer, stays as it is.
-- KEYS[1] prefix of the guard
-- ARGV[1] id of the key that the digests are made with   ARGV[2] list
-- ARGV[3] ms until which it counts, 0: without end   ARGV[4] source   ARGV[5] by whom
-- ARGV[6] ms since when, 0: now
-- ARGV[7] digests of numbers, 9 bytes each   ARGV[8] digests of other forms of them, not counted
-- Reply: {numbers added, numbers that were there, version of the lists}
-- include: suppressed
if is_other_key(ARGV[1]) then return OTHER_KEY end
local HOUR = 3600000
local list, till, since = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[6])

-- Equal sources of one hour are one, so that a number costs some bytes and no more.
local function source_number()
  local began = since > 0 and since or NOW - NOW % HOUR
  local name = cjson.encode({ list, till, began, ARGV[4], ARGV[5] })
  local known = call('HGET', P .. ':made', name)
  if known then return known end
  local number = tostring(call('HINCRBY', P .. ':meta', 'source', 1))
  call('HSET', P .. ':made', name, number)
  call('HSET', P .. ':sources', number, cjson.encode({
    list = list, till = till, since = began, source = ARGV[4], by = ARGV[5],
  }))
  return number
end

local number = source_number()

-- Puts one entry down; tells whether the list did not hold it before. `own` names its source.
local function put(digests, at, own)
  local key, field = entry_of(digests, at)
  local known = call('HGET', key, field)
  if not known then
    call('HSET', key, field, own)
    return true
  end
  local others, was_there = {}, false
  for each in string.gmatch(known, '[^,]+') do
    local source = source_of(string.match(each, '%d+'))
    if source.list ~= list then
      others[#others + 1] = each
    elseif source.till == 0 or (till > 0 and source.till >= till) then
      return false -- it counts for as long already
    else
      was_there = true
    end
  end
  others[#others + 1] = own
  call('HSET', key, field, table.concat(others, ','))
  return not was_there
end

local added = 0
for at = 1, #ARGV[7], ENTRY_BYTES do
  if put(ARGV[7], at, number) then added = added + 1 end
end
for at = 1, #ARGV[8], ENTRY_BYTES do put(ARGV[8], at, number .. '~') end
if added > 0 then call('HINCRBY', P .. ':lists', list, added) end
return { added, #ARGV[7] / ENTRY_BYTES - added, note_change() }
