-- The batches in doubt of one space that an operator means, a bounded piece a call: those that were
-- in doubt by `till`, of `only_held` those that no look can prove. Calls `each` for every one.
-- Returns the next cursor. Needs: lanes batches selected
local function each_doubtful(space, cursor, size, till, selector, only_held, each)
  local found = call('ZSCAN', P .. ':doubts:' .. space, cursor, 'COUNT', size)
  for i = 1, #found[2], 2 do
    local batch = tonumber(found[2][i + 1]) <= till and load_batch(found[2][i])
    if batch and selects(selector, batch.lane)
      and not (only_held and call('HEXISTS', batch_key(batch.id), 'held') == 0) then
      each(batch)
    end
  end
  return found[1]
end
