#!lua flags=no-writes
-- screen: which numbers must not be called, and why.
-- KEYS[1] prefix of the guard
-- ARGV[1] id of the key that the digests are made with   ARGV[2] account   ARGV[3] campaign
-- ARGV[4] digests of numbers, 9 bytes each
-- Reply: {version of the lists, {place of a digest, number of its source, ...}, {number of a
--   source, the source as JSON, ...}}; places are counted from 0.
-- include: suppressed screening
if is_other_key(ARGV[1]) then return OTHER_KEY end
local found, sources = screen(ARGV[2], ARGV[3], ARGV[4])
return { call('HGET', P .. ':meta', 'version') or '0', found, sources }
