#!lua flags=allow-oom
-- pause: nothing that belongs to a selector is sent any more; what is being sent finishes. A pause
-- that is there already takes a new note or a new end.
-- KEYS[1] prefix
-- ARGV[1] name of the selector   ARGV[2] who asks   ARGV[3] the selector as JSON, for the journal
-- ARGV[4] why, or ''   ARGV[5] when the sweep ends it, in ms, or 0
-- Reply: {1, number of the journal's entry}; {0, the same, or 0 if nothing of it changed}
-- include: base journal
local name, by, selector, why, till = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local known = call('HGET', P .. ':pauses', name)
if known and why == '' and till == 0 then return { 0, 0 } end
local pause = known and cjson.decode(known) or { since = NOW, by = by }
if why ~= '' then pause.note = why end
if till > 0 then
  pause.till, pause.asked = till, selector
  call('ZADD', P .. ':due', till, 'P' .. name)
end
call('HSET', P .. ':pauses', name, cjson.encode(pause))
call('ZREM', P .. ':due', 'G' .. name) -- lanes that an earlier resume has not freed yet
return { known and 0 or 1, note(0, by, 'pause', selector, { note = why }) }
