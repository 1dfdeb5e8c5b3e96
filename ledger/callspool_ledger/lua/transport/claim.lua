#!lua flags=allow-oom
-- claim: takes over entries that nobody has renewed for a while: their consumer is gone.
-- An entry that was delivered often may be what ends its workers, so only one such is taken.
-- KEYS[1] stream
-- ARGV[1] consumer group   ARGV[2] consumer   ARGV[3] idle time at least, ms
-- ARGV[4] entries at most   ARGV[5] deliveries that make an entry suspect
-- ARGV[6] suspect entries at most
-- Reply: for each entry {id, {field, value, ...}, deliveries}
local idle, most = ARGV[3], tonumber(ARGV[4])
local suspect_from, suspects = tonumber(ARGV[5]), tonumber(ARGV[6])
local LOOK_AT = 1000

local function may_take(deliveries)
  if deliveries < suspect_from then return true end
  suspects = suspects - 1
  return suspects >= 0
end

local reply = {}
for _, pending in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', idle, '-', '+', LOOK_AT)) do
  if #reply >= most then break end
  if may_take(pending[4]) then
    local entry = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], idle, pending[1])[1]
    if entry then reply[#reply + 1] = { entry[1], entry[2], pending[4] + 1 } end
  end
end
return reply
