#!lua flags=allow-oom
-- drop_messages: gives up messages that no worker could read, a bounded number a call, the oldest
-- first; the documents that they were counted with are not in the queue any more.
-- KEYS[1] prefix   KEYS[2] stream of the messages that were not readable
-- ARGV[1] id after which to begin, 0 at first   ARGV[2] id of the last one, at most
-- ARGV[3] messages at most   ARGV[4] number of the journal's entry, or 0   ARGV[5] who asks
-- Reply: {id of the last one looked at, '' at the end; messages given up; number of the journal's
--   entry, or 0}
-- include: base journal
local last, dropped, number = '', 0, tonumber(ARGV[4])
for _, entry in ipairs(call('XRANGE', KEYS[2], '(' .. ARGV[1], ARGV[2], 'COUNT', ARGV[3])) do
  local documents = 0
  for i = 1, #entry[2], 2 do
    if entry[2][i] == 'n' and #entry[2][i + 1] < 10 then
      documents = tonumber(string.match(entry[2][i + 1], '^%d+$') or '0')
    end
  end
  local spooled = tonumber(call('HGET', P .. ':counts', 'spooled') or '0')
  call('HINCRBY', P .. ':counts', 'spooled', 0 - math.min(documents, spooled)) -- never -0, which is no integer
  call('XDEL', KEYS[2], entry[1])
  last, dropped = entry[1], dropped + 1
end
if dropped > 0 then number = note(number, ARGV[5], 'dead drop', '{}', { messages = dropped }) end
return { last, dropped, number }
