#!lua flags=allow-oom
-- keep_following: a pass over the calls of a space goes on, unless a proof is due there.
-- KEYS[1] prefix
-- ARGV[1] follower   ARGV[2] space   ARGV[3] ms that it may take from now
-- Reply: 1; 0 if it is to end: a proof waits for the space, or another one looks by now.
-- include: base
local PUT_OFF = 1500 -- ms by which a look that proves and finds the space locked is put off, at most
local looker = string.match(call('HGET', P .. ':looking', ARGV[2]) or '', '^%d+ (.*)$')
local proof = call('ZSCORE', P .. ':proofs', ARGV[2])
if looker ~= ARGV[1] or (proof and tonumber(proof) <= NOW + PUT_OFF) then return 0 end
call('HSET', P .. ':looking', ARGV[2], (NOW + tonumber(ARGV[3])) .. ' ' .. looker)
return 1
