-- Documents that an operator means: a selector is a table with some of `account`, `space_token`,
-- `campaign` and `lane`, or none of them for everything.
local lanes_judged = {}

local function judge(selector, lane)
  if selector.lane and selector.lane ~= lane and selector.lane ~= whole_lane(lane) then return false end
  local f = call('HMGET', lane_key(lane), 'account', 'space', 'campaign')
  return (not selector.account or selector.account == f[1])
    and (not selector.space_token or selector.space_token == f[2])
    and (not selector.campaign or selector.campaign == f[3])
end

local function selects(selector, lane)
  if lanes_judged[lane] == nil then lanes_judged[lane] = judge(selector, lane) end
  return lanes_judged[lane]
end

-- Batch and place (counted from 1) of the document with this identity; nil if it is not known.
local function find(digest)
  local living = generations()
  for i = #living, 1, -1 do
    local value = tonumber(call('HGET', bucket(living[i], digest), rest(digest)))
    if value then return load_batch(math.floor(value / PLACES)), value % PLACES + 1 end
  end
end

local function letter_at(batch, place)
  return batch and string.sub(batch.s, place, place) or ''
end

-- Turns documents in state `from` into `to`, at the places that `may` tells; tells how many.
local function turn_some(batch, from, to, may)
  local letters, n = {}, 0
  for place = 1, batch.n do
    local letter = string.sub(batch.s, place, place)
    if letter == from and may(place) then letter, n = to, n + 1 end
    letters[place] = letter
  end
  if n == 0 then return 0 end
  batch.s = table.concat(letters)
  move(batch, from, to, n)
  call('HSET', batch_key(batch.id), 's', batch.s)
  return n
end
