-- Documents that were cancelled because a list says that they must not be called: why is kept in
-- `u`, a line of JSON for each list, [places as a mask, ms, kind of the list, reason].
local function note_suppressed(batch, mask, kind, reason, n)
  local line = cjson.encode({ mask, NOW, kind, reason })
  local known = call('HGET', batch_key(batch.id), 'u')
  call('HSET', batch_key(batch.id), 'u', known and (known .. '\n' .. line) or line)
  count(batch.account, 'suppressed', n)
  count(batch.account, 'suppressed|' .. kind, n)
end
