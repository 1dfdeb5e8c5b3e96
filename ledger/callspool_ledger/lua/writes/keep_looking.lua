#!lua flags=allow-oom
-- keep_looking: a look goes on, so that nobody else begins one meanwhile.
-- KEYS[1] prefix
-- ARGV[1] looker   ARGV[2] space   ARGV[3] ms that it may take from now
-- Reply: 1; 0 if somebody else looks by now.
-- include: base
local till, looker = string.match(call('HGET', P .. ':looking', ARGV[2]) or '', '^(%d+) (.*)$')
if looker ~= ARGV[1] then return 0 end
local later = NOW + tonumber(ARGV[3])
call('HSET', P .. ':looking', ARGV[2], later .. ' ' .. looker)
-- A doubt that came meanwhile has brought the next look forward: it stays so.
if call('ZSCORE', P .. ':proofs', ARGV[2]) == till then
  call('ZADD', P .. ':proofs', later, ARGV[2])
end
return 1
