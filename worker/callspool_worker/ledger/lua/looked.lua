#!lua flags=allow-oom
-- looked: a space was read back, or could not be; sets when it is looked at again.
-- KEYS[1] prefix
-- ARGV[1] looker   ARGV[2] space   ARGV[3] ms until the next look   ARGV[4] 1 if it could be read
-- Reply: 1; 0 if somebody else looks at it meanwhile.
-- include: base lanes batches doubts
local till, looker = string.match(call('HGET', P .. ':looking', ARGV[2]) or '', '^(%d+) (.*)$')
if looker ~= ARGV[1] then return 0 end
call('HDEL', P .. ':looking', ARGV[2])
if ARGV[4] == '1' then
  call('HDEL', P .. ':unreadable', ARGV[2])
else
  call('HSETNX', P .. ':unreadable', ARGV[2], NOW)
end
if rest_space(ARGV[2]) then return 1 end
if call('ZSCORE', P .. ':proofs', ARGV[2]) == till then
  call('ZADD', P .. ':proofs', NOW + tonumber(ARGV[3]), ARGV[2])
end -- else a new doubt came meanwhile: it is looked at at once
return 1
