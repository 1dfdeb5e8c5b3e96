#!lua flags=allow-oom
-- give_back: calls that an attempt reserved were provably not made: they do not count any more.
-- KEYS[1] prefix of the guard
-- ARGV[1] id of the key that the digests are made with   ARGV[2] token of the attempt
-- ARGV[3] digests of all of the attempt's numbers, 9 bytes each
-- Reply: calls given back; 0 where that was done before, or they count no more.
-- include: suppressed server called
if is_other_key(ARGV[1]) then return OTHER_KEY end
local given_back = take_back(ARGV[2], ARGV[3])
call('DEL', P .. ':held:' .. ARGV[2])
return given_back
