#!lua flags=allow-oom
-- drop_one: gives up one dead document for good.
-- KEYS[1] prefix
-- ARGV[1] digest of its identity   ARGV[2] number of the journal's entry, or 0   ARGV[3] who asks
-- ARGV[4] what was asked for, as JSON, for the journal
-- Reply: {the letter that it had, '' if it is not known; 1 if it was dropped, or 0; number of the
--   journal's entry, or 0}
-- include: base generations lanes batches feed selected dropping journal
local batch, place = find(ARGV[1])
local letter, number = letter_at(batch, place), tonumber(ARGV[2])
if letter ~= 'x' then return { letter, 0, number } end
drop_dead(batch, function(at) return at == place end)
return { letter, 1, note(number, ARGV[3], 'dead drop', ARGV[4], { documents = 1 }) }
