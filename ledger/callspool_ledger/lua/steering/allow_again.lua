#!lua flags=allow-oom
-- allow_again: documents that an operator cancelled may be accepted anew, because one says so.
-- KEYS[1] prefix
-- ARGV[1] digests of identities, one after the other
-- Reply: how many of them were cancelled, and may come again.
-- include: base generations lanes batches selected
local digests, allowed = ARGV[1], 0
for at = 1, #digests, DIGEST_BYTES do
  local batch, place = find(string.sub(digests, at, at + DIGEST_BYTES - 1))
  if letter_at(batch, place) == 'k' then
    batch.s = string.sub(batch.s, 1, place - 1) .. 'K' .. string.sub(batch.s, place + 1)
    call('HSET', batch_key(batch.id), 's', batch.s)
    allowed = allowed + 1
  end
end
return allowed
