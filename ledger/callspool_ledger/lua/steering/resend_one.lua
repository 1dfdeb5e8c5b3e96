#!lua flags=allow-oom
-- resend_one: one document in doubt waits again without proof, since an operator accepts that its
-- person may be called twice; those that were sent with it stay in doubt.
-- KEYS[1] prefix
-- ARGV[1] digest of its identity   ARGV[2] number of the journal's entry, or 0   ARGV[3] who asks
-- ARGV[4] what was asked for, as JSON, for the journal   ARGV[5] wake-ups at most
-- Reply: {the letter that it had, '' if it is not known; 1 if it waits again, or 0; number of the
--   journal's entry, or 0}
-- include: base generations lanes batches parts doubts selected resending journal
local batch, place = find(ARGV[1])
local letter, number = letter_at(batch, place), tonumber(ARGV[2])
if letter ~= 'd' then return { letter, 0, number } end
local _, ready = send_again(batch, function(at) return at == place end, ARGV[3])
wake(ready, tonumber(ARGV[5]))
return { letter, 1, note(number, ARGV[3], 'doubts resend', ARGV[4], { documents = 1 }) }
