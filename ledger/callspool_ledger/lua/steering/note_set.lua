#!lua flags=allow-oom
-- note_set: writes into the journal what an operator set, where that is kept elsewhere.
-- KEYS[1] prefix
-- ARGV[1] who asks   ARGV[2] what it is for, as JSON   ARGV[3] what was set
-- Reply: the entry's number.
-- include: base journal
return note(0, ARGV[1], 'set', ARGV[2], { note = ARGV[3] })
