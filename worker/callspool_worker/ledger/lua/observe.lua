#!lua flags=allow-oom
-- observe: keeps what a look found of an attempt in doubt, or why no look can prove it.
-- KEYS[1] prefix
-- ARGV[1] batch   ARGV[2] attempt   ARGV[3] what was found ('' if it could not be read)
-- ARGV[4] why it cannot be proven ('' if it can)
-- Reply: ms since when the same was found, by Redis' clock; -1 if it is not in doubt any more.
-- include: base lanes batches doubts
local batch = load_batch(ARGV[1])
if not batch or batch.attempt ~= tonumber(ARGV[2]) or batch.phase ~= 'doubt' then return -1 end
local key = batch_key(batch.id)
if ARGV[4] ~= '' then
  call('HSET', key, 'held', ARGV[4])
  -- It goes to the end, so that those behind it are looked at however many are held.
  call('ZADD', P .. ':doubts:' .. space_of(batch), 'XX', NOW, batch.id)
else
  call('HDEL', key, 'held')
end
if ARGV[3] ~= '' and call('HGET', key, 'seen') ~= ARGV[3] then
  local is_first = call('HEXISTS', key, 'seen') == 0
  call('HSET', key, 'seen', ARGV[3])
  -- What the first look finds may be as old as the doubt itself.
  if not (is_first and ARGV[3] == 'nothing') then call('HSET', key, 'changed', NOW) end
end
return tonumber(call('HGET', key, 'changed'))
