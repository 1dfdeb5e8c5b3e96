#!lua flags=allow-oom
-- drop: gives up the dead documents of a selector for good, a bounded piece a call. What died after
-- the first call is left alone.
-- KEYS[1] prefix
-- ARGV[1] cursor, 0 at first   ARGV[2] batches to look at, about
-- ARGV[3] time of the first call, 0 at first   ARGV[4] number of the journal's entry, or 0
-- ARGV[5] who asks
-- ARGV[6] the selector as JSON
-- Reply: {next cursor, 0 at the end; documents; time of the first call; number of the journal's
--   entry, or 0}
-- include: base generations lanes batches feed selected dropping journal
local from = ARGV[3] == '0' and NOW or tonumber(ARGV[3])
local selector, number = cjson.decode(ARGV[6]), tonumber(ARGV[4])
local found = call('ZSCAN', P .. ':dead', ARGV[1], 'COUNT', ARGV[2])
local dropped = 0
local function every() return true end
for i = 1, #found[2], 2 do
  local batch = tonumber(found[2][i + 1]) <= from and load_batch(found[2][i])
  if batch and selects(selector, batch.lane) then dropped = dropped + drop_dead(batch, every) end
end
if dropped > 0 then
  number = note(number, ARGV[5], 'dead drop', ARGV[6], { documents = dropped })
end
return { found[1], dropped, tostring(from), number }
