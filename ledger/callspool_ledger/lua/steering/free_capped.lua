#!lua flags=allow-oom
-- free_capped: caps were changed, or the end of a campaign: documents that wait because of a cap are asked
-- about anew; a bounded piece a call.
-- KEYS[1] prefix
-- ARGV[1] cursor, 0 at first   ARGV[2] batches to look at, about   ARGV[3] wake-ups at most
-- ARGV[4] account and campaign with U+001F between, of which they are, or '' for all
-- Reply: next cursor, 0 at the end
-- include: base lanes batches capped
local found = call('ZSCAN', P .. ':capped', ARGV[1], 'COUNT', ARGV[2])
for i = 1, #found[2], 2 do
  local batch = load_batch(found[2][i])
  if batch and batch.phase == 'resting' then
    local campaign = ARGV[4] ~= '' and call('HGET', lane_key(batch.lane), 'campaign')
    if not campaign or batch.account .. '\31' .. campaign == ARGV[4] then free_capped(batch) end
  else
    call('ZREM', P .. ':capped', found[2][i])
  end
end
wake(#found[2] / 2, tonumber(ARGV[3]))
return found[1]
