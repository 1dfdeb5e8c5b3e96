#!lua flags=allow-oom
-- record_held: writes into the journal how many documents a pause or its end concerned.
-- KEYS[1] prefix
-- ARGV[1] number of the journal's entry   ARGV[2] documents
-- Reply: that number.
-- include: base journal
return note(tonumber(ARGV[1]), '', '', '', { documents = tonumber(ARGV[2]) })
