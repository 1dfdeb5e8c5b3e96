#!lua flags=allow-oom
-- join: enters a worker process in the roster; it takes nothing before.
-- KEYS[1] prefix
-- ARGV[1] process   ARGV[2] highest attempt that it was given   ARGV[3] number of its last sign of life
-- ARGV[4] 1 if its entry is known to be on disk
-- Reply: number of the last restart of Redis.
-- include: base lanes roster server epochs
local attempt, beat = tonumber(ARGV[2]), tonumber(ARGV[3])
local epoch = current_epoch(attempt)
local entry = roster_entry(ARGV[1]) or { attempt = attempt, beat = beat }
entry.seen, entry.safe = NOW, ARGV[4]
keep_entry(ARGV[1], entry)
return epoch
