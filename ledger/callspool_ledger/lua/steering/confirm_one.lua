#!lua flags=allow-oom
-- confirm_one: one document in doubt counts as created, since an operator knows that it was; those
-- that were sent with it stay in doubt.
-- KEYS[1] prefix
-- ARGV[1] digest of its identity   ARGV[2] number of the journal's entry, or 0   ARGV[3] who asks
-- ARGV[4] what was asked for, as JSON, for the journal   ARGV[5] run id, or ''
-- ARGV[6] task id, or ''
-- Reply: {the letter that it had, '' if it is not known; 1 if it is created now, or 0; number of the
--   journal's entry, or 0}
-- include: base generations lanes batches feed calls outcomes doubts words named proofs selected confirming journal
local batch, place = find(ARGV[1])
local letter, number = letter_at(batch, place), tonumber(ARGV[2])
if letter ~= 'd' then return { letter, 0, number } end
confirm(batch, function(at) return at == place end, ARGV[5], ARGV[6], ARGV[3])
return { letter, 1, note(number, ARGV[3], 'doubts confirm', ARGV[4], { documents = 1 }) }
