#!lua
-- admit: finds the key of the HTTP intake that a caller showed, and charges its limits.
-- KEYS[1] prefix
-- ARGV[1] digest of what the caller showed   ARGV[2] documents to charge; 0 only looks, less than 0
--   gives back
-- What is used up drains evenly: a key of 60 documents a minute has room for one more each second.
-- Reply: {} if there is no such key, or it has expired; {record as JSON, 0 if it was charged; the
--   milliseconds until there is room; -1 if so many documents are never let in at once}
-- include: base
local name = call('HGET', P .. ':access:digests', ARGV[1])
local record = name and call('HGET', P .. ':access', name)
if not record then return {} end
local key = cjson.decode(record)
if key.expires_at and key.expires_at * 1000 <= NOW then return {} end

local cost, used = tonumber(ARGV[2]), P .. ':access:used'
if cost == 0 then return { record, 0 } end
local wait, charged = 0, {}
for field, span in pairs({ minute = 60000, day = 86400000 }) do
  local limit = key['per_' .. field]
  if limit then
    if cost > limit then return { record, -1 } end
    -- When all that was charged so far has drained, in milliseconds.
    local drained = tonumber(call('HGET', used, name .. '|' .. field) or 0)
    drained = math.max(drained, NOW) + cost * span / limit
    wait = math.max(wait, math.ceil(drained - NOW - span))
    charged[#charged + 1] = name .. '|' .. field
    charged[#charged + 1] = string.format('%.3f', drained)
  end
end
if wait <= 0 and #charged > 0 then call('HSET', used, unpack(charged)) end
return { record, math.max(wait, 0) }
