#!lua flags=allow-oom
-- defer: numbers of an attempt that was not sent were called often enough: their documents go aside until
-- they may be called again, and the others wait as before.
-- KEYS[1] prefix
-- ARGV[1] batch   ARGV[2] attempt   ARGV[3] taker   ARGV[4] wake-ups at most
-- ARGV[5...] for each group: ms when it may be called, its cap (`calls|ms|whose`), places
--   (`,place,place,`, counted from 1)
-- Reply: documents that went aside; -1 if the batch is not this attempt's any more.
-- include: base generations lanes batches feed calls outcomes parts campaigns capped
local batch = load_batch(ARGV[1])
if not is_current(batch, ARGV[2], ARGV[3]) then return -1 end
leave_sending(batch, 'w')
call('HDEL', P .. ':sending', ARGV[3])
call('HSET', batch_key(batch.id), 's', batch.s)
call('HDEL', batch_key(batch.id), 'unlooked')
local f = call('HMGET', lane_key(batch.lane), 'campaign')
local record = campaign_of(batch.account, f[1])

-- Until when a batch may wait: then its campaign ends, or the first of its documents expires that waits.
local function end_of_waiting(id)
  local f, places = call('HMGET', batch_key(id), 's', 'x'), {}
  for place in string.gmatch(f[1], '()w') do places[#places + 1] = place end
  local ends = record and record.ends or math.huge
  for _, limit in ipairs(expand_run(f[2], places)) do
    if limit > 0 then ends = math.min(ends, limit) end
  end
  return ends
end

local documents, moved, n, left = documents_of(batch.id), {}, 0, select(2, string.gsub(batch.s, 'w', 'w'))
for i = 5, #ARGV, 3 do
  local places = {}
  for place in string.gmatch(ARGV[i + 2], '%d+') do
    place = tonumber(place)
    if string.sub(batch.s, place, place) == 'w' and not moved[place] then places[#places + 1] = place end
  end
  if #places > 0 then
    n, left = n + #places, left - #places
    local aside = batch
    if left > 0 or next(moved) then
      aside = move_part(batch, places, documents, batch.tries)
      for _, place in ipairs(places) do moved[place] = aside.id end
    end
    set_batch_aside(aside, math.min(tonumber(ARGV[i]), end_of_waiting(aside.id)), ARGV[i + 1])
  end
end
count(batch.account, 'capped', n)
if next(moved) then leave_behind(batch, moved) end
if left > 0 then
  call('ZADD', P .. ':waiting:' .. batch.account, batch.o, batch.id)
  enqueue(batch, true)
  wake(1, tonumber(ARGV[4]))
elseif n == 0 then
  close_if_settled(batch)
end
return n
