#!lua flags=allow-oom
-- open_ledger: begins the ledger if there is none, and tells by which rules it is written.
-- KEYS[1] prefix
-- ARGV[1] id for a new ledger   ARGV[2] format   ARGV[3] rules of identity   ARGV[4] partitions
-- ARGV[5] lease of the caller's takes, ms   ARGV[6] their quiet period, ms
-- ARGV[7] `new`: a new ledger reads spaces back, in case there was one before; `gone`: there was one,
--   whichever it is that lies here now; `` for neither
-- ARGV[8] what the feed tells (include/feed.lua), '' to leave that as it is
-- Reply: {id, format, rules of identity, partitions}
-- include: base generations lanes roster server epochs
local meta, counts = P .. ':meta', P .. ':counts'
local is_begun = call('HEXISTS', meta, 'id') == 0
if is_begun then
  local partitions = call('HGET', counts, 'partitions') or ARGV[4] -- a producer may have come first
  call('HSET', meta, 'id', ARGV[1], 'format', ARGV[2], 'identity', ARGV[3], 'partitions', partitions)
end
call('HSETNX', counts, 'partitions', call('HGET', meta, 'partitions'))
local server, replid = this_server()
if call('HSETNX', meta, 'server', server) == 1 then call('HSET', meta, 'replid', replid) end
if ARGV[8] ~= '' then call('HSET', meta, 'feed', ARGV[8]) end
keep_longest(tonumber(ARGV[5]), tonumber(ARGV[6]))
call('HSETNX', meta, 'taken', NOW) -- no take that may ever be forgotten was before
if ARGV[7] == 'gone' or (is_begun and ARGV[7] == 'new') then begin_unread(ARGV[7] == 'gone') end
generations()
-- A release that did not count lanes by scope and closed gates may have written here.
local lanes, counted = call('SCARD', P .. ':lanes'), 0
for _, n in ipairs(call('HVALS', P .. ':scopelanes')) do counted = counted + n end
if counted ~= lanes then
  call('DEL', P .. ':scopelanes')
  for _, account in ipairs(call('SMEMBERS', P .. ':accounts')) do
    call('HDEL', P .. ':counts', account .. '|lanes')
  end
  for _, lane in ipairs(call('SMEMBERS', P .. ':lanes')) do
    local f = call('HMGET', lane_key(lane), 'account', 'space', 'campaign')
    if f[1] then count_lanes(f[1], f[2], f[3], 1) end
  end
end
local gates, shut = call('HGETALL', P .. ':gates'), 0
for _, n in ipairs(call('HVALS', P .. ':shut')) do shut = shut + n end
if shut * 2 ~= #gates then
  call('DEL', P .. ':shut')
  for i = 1, #gates, 2 do
    local state = cjson.decode(gates[i + 1])
    state.counted = nil
    set_gate(gates[i], state)
  end
end
return call('HMGET', meta, 'id', 'format', 'identity', 'partitions')
