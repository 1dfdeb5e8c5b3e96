#!lua flags=allow-oom
-- resume: ends pauses and opens parked gates, a bounded number of lanes a call; the sweep frees the
-- others.
-- KEYS[1] prefix
-- ARGV[1] lanes at most   ARGV[2] wake-ups at most   ARGV[3] number of the journal's entry, or 0
-- ARGV[4] who asks   ARGV[5] the selector as JSON, for the journal
-- ARGV[6...] what to open, two arguments each: 'pauses' or 'gates', and its name
-- Reply: {number of the journal's entry, or 0; for each: 1 if it was closed, or 0}
-- include: base lanes journal
local room, ready, opened = tonumber(ARGV[1]), 0, 0
local reply = { 0 }
for i = 6, #ARGV, 2 do
  local kind, name = ARGV[i], ARGV[i + 1]
  local was_closed = call('HEXISTS', P .. ':' .. kind, name)
  if was_closed == 1 then
    local behind = call('SCARD', P .. ':parked:' .. name)
    local left, more = open_gate(kind, name, room)
    room, ready, opened = room - (behind - left), ready + more, opened + 1
  end
  reply[#reply + 1] = was_closed
end
wake(ready, tonumber(ARGV[2]))
reply[1] = tonumber(ARGV[3])
if opened > 0 then
  reply[1] = note(reply[1], ARGV[4], 'resume', ARGV[5], { opened = opened })
end
return reply
