#!lua flags=allow-oom
-- cancel: takes back the waiting documents of a selector, a bounded piece a call. What is being
-- sent or in doubt is left alone, and so is what was accepted after the first call.
-- KEYS[1] prefix
-- ARGV[1] account   ARGV[2] cursor, 0 at first   ARGV[3] batches to look at, about
-- ARGV[4] time of the first call, 0 at first   ARGV[5] number of the journal's entry, or 0
-- ARGV[6] who asks   ARGV[7] the selector as JSON
-- Reply: {next cursor, 0 at the end; documents cancelled; time of the first call; number of the
--   journal's entry, or 0}
-- include: base generations lanes batches feed parts selected cancelling journal
local from = ARGV[4] == '0' and NOW or tonumber(ARGV[4])
local selector, number = cjson.decode(ARGV[7]), tonumber(ARGV[5])

-- Which places of a batch were accepted in time.
local function in_time(batch)
  local accepted = call('HGET', batch_key(batch.id), 'a') or ''
  local last = 0
  for ms in string.gmatch(accepted, ':(%d+),') do last = math.max(last, tonumber(ms)) end
  if batch.o + last <= from then return function() return true end end
  local places = {}
  for place = 1, batch.n do places[place] = place end
  local offsets = expand_run(accepted, places)
  return function(place) return batch.o + offsets[place] <= from end
end

local found = call('ZSCAN', P .. ':waiting:' .. ARGV[1], ARGV[2], 'COUNT', ARGV[3])
local cancelled = 0
for i = 1, #found[2], 2 do
  local batch = load_batch(found[2][i])
  if batch and selects(selector, batch.lane) then
    cancelled = cancelled + cancel_waiting(batch, in_time(batch))
  end
end
if cancelled > 0 then
  number = note(number, ARGV[6], 'cancel', ARGV[7], { documents = cancelled })
end
return { found[1], cancelled, tostring(from), number }
