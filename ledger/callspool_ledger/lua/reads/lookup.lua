#!lua flags=no-writes
-- lookup: where the documents with these identities are, and in which state.
-- KEYS[1] prefix
-- ARGV[1] digests of 12 bytes, one after the other
-- Reply: for each digest `batch:place:state letter`, or nothing if it is not known, joined by commas.
--   In doubt is `d`, and `h` where no look at the API can prove it now.
local P = KEYS[1]
local call = redis.call
local sub = string.sub
local generations = {}
for number in string.gmatch(call('HGET', P .. ':meta', 'generations') or '', '%d+') do
  table.insert(generations, 1, number)
end
local states = {}

local function describe(value)
  local batch, place = math.floor(value / 1024), value % 1024
  if not states[batch] then
    local found = call('HMGET', P .. ':b' .. batch, 's', 'held')
    states[batch] = found[1] or ''
    if found[2] then states[batch] = string.gsub(states[batch], 'd', 'h') end
  end
  return batch .. ':' .. place .. ':' .. sub(states[batch], place + 1, place + 1)
end

local function find(digest)
  for _, number in ipairs(generations) do
    local value = call('HGET', P .. ':i' .. number .. ':' .. sub(digest, 1, 2), sub(digest, 3))
    if value then return describe(tonumber(value)) end
  end
  return ''
end

local reply = {}
for at = 1, #ARGV[1], 12 do reply[#reply + 1] = find(sub(ARGV[1], at, at + 11)) end
return table.concat(reply, ',')
