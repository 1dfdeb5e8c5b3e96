#!lua flags=allow-oom
-- ask_windows: whether an account's API honours windows of time over a space's tasks. One follower of
-- all finds that out, and none again for a while once it was refused.
-- KEYS[1] prefix of the account
-- ARGV[1] '': asks; honoured or refused: what was found
-- ARGV[2] ms that finding out may take, 0: it is not to; or for which nothing is tried after a refusal
-- Reply: 1 if windows are honoured; 2 if the one that asks is to find out; 0 otherwise
-- include: base
local KEPT = 86400 -- seconds
local key = P .. ':windows'
local f = call('HMGET', key, 'honoured', 'till')
local reply = f[1] and 1 or 0
if ARGV[1] == 'honoured' then
  call('HSET', key, 'honoured', 1)
  reply = 1
elseif ARGV[1] == 'refused' then
  call('HDEL', key, 'honoured')
  call('HSET', key, 'till', NOW + tonumber(ARGV[2]))
  reply = 0
elseif not f[1] and ARGV[2] ~= '0' then
  local till = tonumber(f[2] or '0')
  -- A clock that was set back makes no wait longer than it can be.
  if till <= NOW or till > NOW + KEPT * 1000 then
    call('HSET', key, 'till', NOW + tonumber(ARGV[2]))
    reply = 2
  end
end
call('EXPIRE', key, KEPT + 60)
return reply
