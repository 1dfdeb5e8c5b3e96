#!lua flags=allow-oom
-- pause: nothing that belongs to a selector is sent any more; what is being sent finishes.
-- KEYS[1] prefix
-- ARGV[1] name of the selector   ARGV[2] who asks   ARGV[3] the selector as JSON, for the journal
-- Reply: {1, number of the journal's entry}; {0, JSON of the pause} if it was paused already
-- include: base journal
local known = call('HGET', P .. ':pauses', ARGV[1])
if known then return { 0, known } end
call('HSET', P .. ':pauses', ARGV[1], cjson.encode({ since = NOW, by = ARGV[2] }))
call('ZREM', P .. ':due', 'G' .. ARGV[1]) -- lanes that an earlier resume has not freed yet
return { 1, note(0, ARGV[2], 'pause', ARGV[3], {}) }
