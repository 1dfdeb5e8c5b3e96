#!lua flags=allow-oom
-- free_capped: caps were changed: documents that wait because of one are asked about anew; a bounded
-- piece a call.
-- KEYS[1] prefix
-- ARGV[1] cursor, 0 at first   ARGV[2] batches to look at, about   ARGV[3] wake-ups at most
-- Reply: next cursor, 0 at the end
-- include: base lanes batches capped
local found = call('ZSCAN', P .. ':capped', ARGV[1], 'COUNT', ARGV[2])
for i = 1, #found[2], 2 do
  local batch = load_batch(found[2][i])
  if batch and batch.phase == 'resting' then
    free_capped(batch)
  else
    call('ZREM', P .. ':capped', found[2][i])
  end
end
wake(#found[2] / 2, tonumber(ARGV[3]))
return found[1]
