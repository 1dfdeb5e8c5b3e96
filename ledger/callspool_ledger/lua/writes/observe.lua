#!lua flags=allow-oom
-- observe: keeps what a look found of an attempt in doubt, or why no look can prove it.
-- The quiet is observed, not elapsed: it begins at the first look that was answered, and anew after
-- each gap in looking.
-- KEYS[1] prefix
-- ARGV[1] batch   ARGV[2] attempt   ARGV[3] what was found ('' if it could not be read)
-- ARGV[4] why it cannot be proven ('' if it can)   ARGV[5] ms at which the look began
-- ARGV[6] ms between two looks that leave no gap   ARGV[7] why, without the API's words
-- Reply: ms since when the same was found, by Redis' clock; -1 if it is not in doubt any more.
-- include: base lanes batches feed doubts quiet
local batch = load_batch(ARGV[1])
if not batch or batch.attempt ~= tonumber(ARGV[2]) or batch.phase ~= 'doubt' then return -1 end
local key, space = batch_key(batch.id), space_of(batch)
if ARGV[4] ~= '' then
  if call('HSET', key, 'held', ARGV[4]) == 1 then tell(batch, 'held', turned(batch, '', 'd'), { w = ARGV[7] }) end
  -- It goes to the end, so that those behind it are looked at however many are held.
  call('ZADD', P .. ':doubts:' .. space, 'XX', NOW, batch.id)
else
  call('HDEL', key, 'held')
end
if ARGV[3] ~= '' then
  local f = call('HMGET', key, 'seen', 'changed', 'looked', 'span')
  local last = { seen = f[1], changed = tonumber(f[2]), looked = tonumber(f[3]), span = tonumber(f[4]) }
  local now = look_again(space, last, ARGV[3], tonumber(ARGV[5]), tonumber(ARGV[6]))
  call('HSET', key, 'seen', now.seen, 'changed', now.changed, 'looked', NOW, 'span', now.span)
end
return tonumber(call('HGET', key, 'changed'))
