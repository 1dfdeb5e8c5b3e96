-- An operator has documents in doubt sent again without proof, at the places that `may` tells, with
-- all tries before them: a person may then be called twice. Tells how many, and how many batches
-- they are. Needs: generations lanes batches parts doubts selected
local function send_again(batch, may, by)
  local n = turn_some(batch, 'd', 'w', may)
  if n == 0 then return 0, 0 end
  count(batch.account, 'resent', n)
  count(batch.account, 'unproven', n)
  record(batch, n, 'unproven', '', 'sent again by ' .. by)
  if string.find(batch.s, 'd') then return n, split_waiting(batch, 'w', n, math.huge, 0) end
  end_doubt(batch)
  call('HSET', batch_key(batch.id), 'tries', 0)
  call('ZADD', P .. ':waiting:' .. batch.account, batch.o, batch.id)
  enqueue(batch, true)
  return n, 1
end
