-- Gives up dead documents for good, at the places that `may` tells: they stay counted as dead, and
-- their identities may be accepted anew. Tells how many.
local function drop_dead(batch, may)
  local n = turn_some(batch, 'x', 'X', may)
  count(batch.account, 'dropped', n)
  if n > 0 and close_if_settled(batch) then call('ZREM', P .. ':dead', batch.id) end
  return n
end
