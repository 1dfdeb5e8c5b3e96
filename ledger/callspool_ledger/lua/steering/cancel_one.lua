#!lua flags=allow-oom
-- cancel_one: takes back one document that waits.
-- KEYS[1] prefix
-- ARGV[1] digest of its identity   ARGV[2] number of the journal's entry, or 0   ARGV[3] who asks
-- ARGV[4] what was asked for, as JSON, for the journal
-- Reply: {the letter that it had, '' if it is not known; 1 if it was cancelled, or 0; number of the
--   journal's entry, or 0}
-- include: base generations lanes batches feed selected cancelling journal
local batch, place = find(ARGV[1])
local letter, number = letter_at(batch, place), tonumber(ARGV[2])
if letter ~= 'w' then return { letter, 0, number } end
local n = cancel_waiting(batch, function(at) return at == place end)
if n > 0 then number = note(number, ARGV[3], 'cancel', ARGV[4], { documents = n }) end
return { letter, n, number }
