#!lua flags=allow-oom
-- overtake: hands out small entries that stand behind many documents, before their turn comes.
-- KEYS[1] stream   KEYS[2] list of such entries' ids, which lua/enqueue.lua fills
-- ARGV[1] consumer group   ARGV[2] consumer   ARGV[3] entries at most
-- Reply: for each entry that nobody was given yet {id, {field, value, ...}, 1}
-- What is handed out here may be read once more in its turn: it is gone then, or changes hands.
local LOOK_AT = 100
local most = tonumber(ARGV[3])

-- Producers may write the list, and write anything.
local told = redis.pcall('LRANGE', KEYS[2], 0, LOOK_AT - 1)
if told.err then
  redis.call('UNLINK', KEYS[2])
  return {}
end

local function is_id(text)
  local ms, number = string.match(text, '^(%d+)%-(%d+)$')
  return ms and #ms <= 15 and #number <= 15
end

local reply, seen = {}, 0
for _, id in ipairs(told) do
  if #reply >= most then break end
  seen = seen + 1
  if is_id(id) and #redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1) == 0 then
    local entry = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'FORCE', 'RETRYCOUNT', 1)[1]
    if entry then reply[#reply + 1] = { entry[1], entry[2], 1 } end
  end
end
redis.call('LTRIM', KEYS[2], seen, -1)
return reply
