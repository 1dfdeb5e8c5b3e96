#!lua flags=allow-oom
-- replay_messages: hands messages that no worker could read to the workers again, a bounded number
-- a call, the oldest first.
-- KEYS[1] prefix   KEYS[2] stream of the messages   KEYS[3] stream of those that were not readable
-- ARGV[1] id after which to begin, 0 at first   ARGV[2] id of the last one, at most
-- ARGV[3] messages at most   ARGV[4] number of the journal's entry, or 0   ARGV[5] who asks
-- Reply: {id of the last one looked at, '' at the end; messages handed over; number of the journal's
--   entry, or 0}
-- include: base journal
local OURS = { dead_id = true, dead_reason = true, dead_at = true }

-- The message's own fields: they come first, what was added when it was kept comes last.
local function own_fields(kept)
  local n = #kept
  while n > 1 and OURS[kept[n - 1]] do n = n - 2 end
  if n == 2 and kept[1] == 'packed' then return cmsgpack.unpack(kept[2]) end
  local fields = {}
  for i = 1, n do fields[i] = kept[i] end
  return fields
end

local MOST_VALUES = 7000 -- Lua passes no more than 8000 values to a command
local last, moved, number = '', 0, tonumber(ARGV[4])
for _, entry in ipairs(call('XRANGE', KEYS[3], '(' .. ARGV[1], ARGV[2], 'COUNT', ARGV[3])) do
  local fields = own_fields(entry[2])
  if #fields <= MOST_VALUES then
    call('XADD', KEYS[2], '*', unpack(fields))
    call('XDEL', KEYS[3], entry[1])
    moved = moved + 1
  end
  last = entry[1]
end
if moved > 0 then number = note(number, ARGV[5], 'dead replay', '{}', { messages = moved }) end
return { last, moved, number }
