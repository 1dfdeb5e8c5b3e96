-- Who must not be called. A number's entry is a list of sources: what put it there; behind one a `~`
-- marks another form of a number, which is not counted.
local P = KEYS[1]
local call = redis.call
local sub = string.sub
local TIME = call('TIME')
local NOW = TIME[1] * 1000 + math.floor(TIME[2] / 1000)
local ENTRY_BYTES = 9 -- of a number's digest; the first two name its bucket

-- Digests that were made with another key mean nothing here.
local function is_other_key(id)
  return (call('HGET', P .. ':meta', 'id') or '') ~= id
end
local OTHER_KEY = redis.error_reply('OTHERKEY the suppression lists have another key: read it again')

local function entry_of(digests, at)
  return P .. ':n:' .. sub(digests, at, at + 1), sub(digests, at + 2, at + ENTRY_BYTES - 1)
end

local sources_read = {}
local function source_of(number)
  if sources_read[number] == nil then
    sources_read[number] = cjson.decode(call('HGET', P .. ':sources', number) or '{"list":"","till":1}')
  end
  return sources_read[number]
end

local function is_over(source)
  return source.till > 0 and source.till <= NOW
end

-- A version that the lists never had before, also where Redis has forgotten some: batches name the one by
-- which they were cleared.
local function note_change()
  local before = tonumber(call('HGET', P .. ':meta', 'version') or '0')
  local version = string.format('%.0f', math.max(before + 1, TIME[1] * 1000000 + TIME[2]))
  call('HSET', P .. ':meta', 'version', version)
  return version
end
