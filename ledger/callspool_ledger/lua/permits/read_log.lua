#!lua flags=allow-oom
-- read_log: lets one follower of all read an account's call log now and then, and keeps how far it read.
-- KEYS[1] prefix of the account
-- ARGV[1] follower   ARGV[2] ms that it may take; 0: it ends reading
-- ARGV[3] end (ms, by the API's clock) of the newest ring that it read; 0 where it could not read
-- ARGV[4] ms until the log is read next
-- Reply: {1 if it may read now, else 0; end of the newest ring read so far; 1 if the log was read lately}
-- include: base
local KEPT, LATELY = 86400, 600000 -- seconds; ms
local key = P .. ':log'
local f = call('HMGET', key, 'by', 'next', 'seen', 'read')
local seen, read = tonumber(f[3] or '0'), tonumber(f[4] or '0')
if ARGV[2] == '0' then
  if f[1] ~= ARGV[1] then return { 0, tostring(seen), 0 } end
  if ARGV[3] ~= '0' then
    seen, read = math.max(seen, tonumber(ARGV[3])), NOW
    call('HSET', key, 'seen', string.format('%d', seen), 'read', NOW)
  end
  call('HSET', key, 'next', NOW + tonumber(ARGV[4]))
  call('EXPIRE', key, KEPT)
  return { 0, string.format('%d', seen), NOW - read < LATELY and 1 or 0 }
end
local due = tonumber(f[2] or '0')
-- A clock that was set back makes no wait longer than it can be.
local may = due <= NOW or due > NOW + KEPT * 1000
if may then
  call('HSET', key, 'by', ARGV[1], 'next', NOW + tonumber(ARGV[2]))
  call('EXPIRE', key, KEPT)
end
return { may and 1 or 0, string.format('%d', seen), NOW - read < LATELY and 1 or 0 }
