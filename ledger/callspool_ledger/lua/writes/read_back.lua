#!lua flags=allow-oom
-- read_back: a space was read back after Redis restarted. It may send again once nothing that was
-- forgotten can be under way any more, that is a lease and a quiet period after the restart (and as much
-- later as the primary before may have gone on, where this one was promoted), and once
-- looks have found the same for a quiet period; a bounded number of lanes at once, the sweep frees the
-- others. An hour later, or where nothing was ever sent, one look is enough.
-- KEYS[1] prefix
-- ARGV[1] space   ARGV[2] the restart since which it waits, by its number
-- ARGV[3] lanes at most   ARGV[4] wake-ups at most   ARGV[5] ms at which the look began
-- ARGV[6] what was found   ARGV[7] ms between two looks that leave no gap
-- ARGV[8] ms that the quiet period has at least
-- Reply: 0 if the space may send; else ms until it may at the earliest; -1 if it has to wait anew since
--   Redis restarted once more meanwhile.
-- include: base lanes quiet roster server epochs
local LATE_MS = 3600000
local space, began, gate = ARGV[1], tonumber(ARGV[5]), 'unread:' .. ARGV[1]
local f = call('HMGET', P .. ':meta', 'epoch', 'restarted', 'lease', 'quiet', 'overlap')
local known = call('HGET', P .. ':gates', gate)
local state = known and keep_waiting(gate, cjson.decode(known), { forgot = true, has_hope = true })
if tostring(state and state.clock or f[1] or '0') ~= ARGV[2] then return -1 end
local restarted, quiet = state and state.closed or 0, math.max(tonumber(f[4] or '0'), tonumber(ARGV[8]))
local over = restarted + tonumber(f[3] or '0') + quiet + tonumber(f[5] or '0')

-- Keeps what the look found; ms until nothing has changed for long enough.
local function left()
  if restarted == 0 or began >= over + LATE_MS then return 0 end
  local now = look_again(space, state.last or {}, ARGV[6], began, tonumber(ARGV[7]))
  now.looked = NOW
  state.last = now
  call('HSET', P .. ':gates', gate, cjson.encode(state))
  return math.max(over, now.changed + quiet) - began
end

local wait = state and left() or 0
if wait > 0 then return math.ceil(wait) end
local _, ready = open_gate('gates', gate, tonumber(ARGV[3]))
wake(ready, tonumber(ARGV[4]))
return 0
