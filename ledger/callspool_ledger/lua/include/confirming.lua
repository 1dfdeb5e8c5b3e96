-- An operator knows that documents in doubt were created, at the places that `may` tells; tells how
-- many. `run` and `task` are '' where nobody knows them. Needs: lanes batches feed calls outcomes doubts words named proofs selected
local function confirm(batch, may, run, task, by)
  local before = batch.s
  local n = turn_some(batch, 'd', 'c', may)
  if n == 0 then return 0 end
  delivered(batch, before)
  local is_lost = begin_calls(batch, before, run == '')
  local places = {}
  for place = 1, batch.n do
    places[place] = string.sub(before, place, place) ~= string.sub(batch.s, place, place) and '1' or '0'
  end
  local new = turned(batch, before, 'c')
  tell(batch, 'created', new, { r = run, k = task ~= '' and '\0' .. task, w = 'confirmed' })
  if is_lost then tell(batch, 'lost_sight', new, { o = string.rep('l', n) }) end
  count(batch.account, 'confirmed', n)
  say(batch, table.concat(places), run, task, by)
  record(batch, n, 'confirmed', '', 'by ' .. by)
  local is_marked = call('HGET', batch_key(batch.id), 'marked') == '1'
  -- Nothing tells which run it was: none that is there already may be taken for another attempt's.
  if run == '' and not is_marked then call('HSET', P .. ':vouched', space_of(batch), NOW) end
  if string.find(batch.s, 'd') then return n end
  -- Where marks tell whose a run is, it need not be known; a mistaken one would then hide another's.
  if not is_marked then know_run(batch, batch.attempt, run) end
  end_doubt(batch)
  close_if_settled(batch)
  return n
end
