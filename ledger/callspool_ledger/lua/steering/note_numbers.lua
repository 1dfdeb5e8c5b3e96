#!lua flags=allow-oom
-- note_numbers: writes into the journal what an operator did to a list of numbers.
-- KEYS[1] prefix
-- ARGV[1] number of the journal's entry, 0 for a new one   ARGV[2] who asks   ARGV[3] command
-- ARGV[4] the list, as JSON   ARGV[5] how many numbers
-- Reply: the entry's number, 0 if there is nothing to tell.
-- include: base journal
local numbers = tonumber(ARGV[5])
if numbers == 0 then return tonumber(ARGV[1]) end
return note(tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4], { numbers = numbers })
