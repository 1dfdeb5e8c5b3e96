#!lua
-- enqueue: stores one message of call requests, unless too many documents wait already.
-- KEYS[1] stream of call requests   KEYS[2] hash of counts
-- ARGV[1] version of the message format   ARGV[2] call requests, a JSON array
-- ARGV[3] documents in this message   ARGV[4] documents that may wait, at most
-- ARGV[5] partitions that the producer knows of   ARGV[6] trace parent, optional; "" is none
-- ARGV[7] name of the key of the HTTP intake, optional
-- A small message behind many documents is noted in a list beside the stream (`:soon`), so that workers
-- need not read all of them first; the note is a hint, and left out where its writer may not write it.
-- Reply: the id of the entry; 0 if the queue is full; {partitions of the ledger} if they differ
local MANY, SMALL, NOTED = 20000, 100, 1000 -- documents, documents, notes at most

local function note(id)
  local soon = KEYS[1] .. ':soon'
  if not (redis.acl_check_cmd('LLEN', soon) and redis.acl_check_cmd('RPUSH', soon, id)) then return end
  local noted = redis.pcall('LLEN', soon)
  if type(noted) == 'number' and noted < NOTED then redis.call('RPUSH', soon, id) end
end

local counted = redis.call('HMGET', KEYS[2], 'spooled', 'waiting', 'partitions')
if counted[3] and counted[3] ~= ARGV[5] then return { tonumber(counted[3]) } end
local waiting = tonumber(counted[1] or 0) + tonumber(counted[2] or 0)
if waiting + tonumber(ARGV[3]) > tonumber(ARGV[4]) then return 0 end

local entry = { 'v', ARGV[1], 'requests', ARGV[2], 'checked', '1', 'n', ARGV[3] }
if ARGV[6] and ARGV[6] ~= '' then
  entry[9], entry[10] = 'trace', ARGV[6]
end
if ARGV[7] then
  entry[#entry + 1] = 'key'
  entry[#entry + 1] = ARGV[7]
end
local id = redis.call('XADD', KEYS[1], '*', unpack(entry))
redis.call('HINCRBY', KEYS[2], 'spooled', ARGV[3])
if tonumber(counted[1] or 0) >= MANY and tonumber(ARGV[3]) <= SMALL then note(id) end
return id
