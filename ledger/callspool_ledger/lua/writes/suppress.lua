#!lua flags=allow-oom
-- suppress: documents of an attempt that was not sent must not be called: they are cancelled, and
-- the others wait again.
-- KEYS[1] prefix
-- ARGV[1] batch   ARGV[2] attempt   ARGV[3] taker   ARGV[4] wake-ups at most
-- ARGV[5...] for each list: its kind, the reason, places (`,place,place,`, counted from 1)
-- Reply: documents cancelled; -1 if the batch is not this attempt's any more.
-- include: base generations lanes batches feed calls outcomes selected suppressing
local batch = load_batch(ARGV[1])
if not is_current(batch, ARGV[2], ARGV[3]) then return -1 end
leave_sending(batch, 'w')
call('HDEL', P .. ':sending', ARGV[3])
call('HSET', batch_key(batch.id), 's', batch.s)
local cancelled = 0
for i = 5, #ARGV, 3 do
  local letters, before = {}, batch.s
  local n = turn_some(batch, 'w', 'K', function(place)
    local is_meant = string.find(ARGV[i + 2], ',' .. place .. ',', 1, true) ~= nil
    if is_meant then letters[place] = '1' end
    return is_meant
  end)
  if n > 0 then
    for place = 1, batch.n do letters[place] = letters[place] or '0' end
    tell(batch, 'cancelled', turned(batch, before, 'K'), { w = ARGV[i + 1] })
    note_suppressed(batch, table.concat(letters), ARGV[i], ARGV[i + 1], n)
    cancelled = cancelled + n
  end
end
if close_if_settled(batch) then return cancelled end
call('ZADD', P .. ':waiting:' .. batch.account, batch.o, batch.id)
enqueue(batch, true)
wake(1, tonumber(ARGV[4]))
return cancelled
