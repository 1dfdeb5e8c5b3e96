-- Proof of creation. It is never thrown away: it settles documents whatever their state, in the
-- parts too that their batch was split into meanwhile; what is being sent again is settled when that
-- attempt ends. An attempt may be proven bit by bit: t<A>, then t<A>.2, and so on.
-- Needs: lanes batches feed calls outcomes doubts words named
local RUNS_KNOWN, RUNS_KNOWN_IN_DOUBT = 20000, 200000

local function ones(mask)
  local _, n = string.gsub(mask, '1', '1')
  return n
end

local function is_proven(batch, attempt, nth)
  return call('HEXISTS', batch_key(batch.id), 't' .. attempt .. nth) == 1
end

-- The places that proofs of this attempt have settled so far, as a mask.
local function proven_by(batch, attempt)
  local all = call('HGET', batch_key(batch.id), 'm' .. attempt) or string.rep('1', batch.n)
  local known, k, nth = {}, 1, ''
  for place = 1, batch.n do known[place] = '0' end
  while is_proven(batch, attempt, nth) do
    local mask = call('HGET', batch_key(batch.id), 'p' .. attempt .. nth) or all
    for place = 1, batch.n do
      if string.sub(mask, place, place) == '1' then known[place] = '1' end
    end
    k = k + 1
    nth = '.' .. k
  end
  return table.concat(known), nth
end

-- Settles the places in `found`; returns the documents created now, those created already, a mask of
-- those that were not known to be created, and whether these are lost sight of.
local function settle_found(batch, found, said)
  local letters, proved, moved, created, twice, before, new = {}, {}, {}, 0, 0, batch.s, {}
  for place = 1, batch.n do
    local letter = string.sub(batch.s, place, place)
    local is_proved = string.sub(batch.proved or '', place, place) == '1'
    new[place] = '0'
    if string.sub(found, place, place) == '1' then
      if letter == 'c' or is_proved then
        twice = twice + (said[place] and 0 or 1)
      elseif letter == 's' then
        is_proved, new[place] = true, '1'
      elseif letter ~= '-' then
        moved[letter], letter, new[place] = (moved[letter] or 0) + 1, 'c', '1'
      end
    end
    letters[place], proved[place] = letter, is_proved and '1' or '0'
  end
  batch.s = table.concat(letters)
  for letter, n in pairs(moved) do
    move(batch, letter, 'c', n)
    created = created + n
  end
  local is_lost = false
  if created > 0 then
    delivered(batch, before)
    is_lost = begin_calls(batch, before)
  end
  if batch.phase == 'sending' then
    call('HSET', batch_key(batch.id), 'proved', table.concat(proved))
  end
  return created, twice, table.concat(new), is_lost
end

-- Leaves out of `found` and `tasks` what `known` holds already.
local function without(found, tasks, known)
  local mask, wanted, at = {}, {}, 0
  for place = 1, #found do
    local is_found = string.sub(found, place, place) == '1'
    if is_found then at = at + 1 end
    if is_found and string.sub(known, place, place) ~= '1' then
      mask[place], wanted[#wanted + 1] = '1', at
    else
      mask[place] = '0'
    end
  end
  if #wanted == at then return found, tasks end
  return table.concat(mask), pick(tasks, wanted)
end

-- Tells of the documents in the mask `new`, which are known to be created now. `tasks`, and the ids in
-- `given`, are packed for the places in `found`; the latter help where nothing else tells them.
local function tell_created(batch, found, new, run, tasks, given, is_lost)
  if not is_fed() or ones(new) == 0 then return end
  local ids, others, lines, wanted, at = ids_of(batch), lines_of(string.sub(given, 2)), {}, {}, 0
  for place = 1, batch.n do
    at = at + string.sub(found, place, place)
    if string.sub(new, place, place) == '1' then
      wanted[#wanted + 1] = at
      lines[#wanted] = ids[place] or others[at] or ''
    end
  end
  local joined, packed = table.concat(lines, '\n'), pick(tasks, wanted)
  local distrusted = call('HGET', batch_key(batch.id), 'distrusted')
  tell_ids(batch, 'created', joined, { r = run, k = packed, n = distrusted })
  if is_lost then
    tell_ids(batch, 'lost_sight', joined, { r = run, k = packed, o = string.rep('l', #lines) })
  end
end

-- When an attempt that is over began, as far as the batch knows.
local function began(batch, attempt)
  if batch.attempt == tonumber(attempt) then return batch.taken end
  local history = call('HGET', batch_key(batch.id), 'h') or ''
  return string.match('\n' .. history, '\n%[' .. attempt .. ',(%d+),') or NOW
end

-- Remembers for a while whose a run is, so that no other attempt takes it for its own: with the
-- time of its attempt, which the server's clock can be compared with however late the proof came.
-- While something of the space is in doubt nothing is forgotten that could be taken for its run.
local function know_run(batch, attempt, run)
  if run == '' then return end
  local space = space_of(batch)
  name_for(batch, attempt, { run })
  local key, in_doubt = P .. ':runs:' .. space, call('EXISTS', P .. ':doubts:' .. space) == 1
  call('ZADD', key, began(batch, attempt), run)
  call('ZREMRANGEBYRANK', key, 0, -(in_doubt and RUNS_KNOWN_IN_DOUBT or RUNS_KNOWN) - 1)
  if not in_doubt then call('PEXPIRE', key, RUNS_KNOWN_MS) end
end

-- Calls `each` for the parts that found places of the batch have moved into.
local function follow(batch, found, tasks, each)
  local owners, parts, order, moved, at = parts_of(batch), {}, {}, 0, 0
  for place = 1, batch.n do
    local is_found = string.sub(found, place, place)
    at = at + is_found
    if string.sub(batch.s, place, place) == '-' then
      moved = moved + 1
      local id = owners[moved]
      if id and not parts[id] then
        parts[id], order[#order + 1] = { mask = {}, wanted = {} }, id
      end
      local part = parts[id or '']
      if part then part.mask[#part.mask + 1] = is_found end
      if part and is_found == '1' then part.wanted[#part.wanted + 1] = at end
    end
  end
  for _, id in ipairs(order) do
    local part = parts[id]
    if #part.wanted > 0 then each(load_batch(id), table.concat(part.mask), pick(tasks, part.wanted)) end
  end
end

-- Keeps the proof that `run` created the documents at the places in `found`, with their packed task
-- ids, and ids of the documents if these are known. Returns the documents created now, those that another attempt had created already, and how
-- many this proof is about that were not proven before.
local function prove(batch, attempt, found, run, tasks, code, given)
  if not batch then return 0, 0, 0 end -- settled, and forgotten since
  if #found ~= batch.n then error('a proof for ' .. #found .. ' of ' .. batch.n .. ' documents') end
  local known, nth = proven_by(batch, attempt)
  local _, ids = without(found, '\0' .. (given or ''), known)
  found, tasks = without(found, tasks, known)
  if ones(found) == 0 then return 0, 0, 0 end
  local was_in_doubt = string.find(batch.s, 'd')
  local created, twice, new, is_lost = settle_found(batch, found, said_of(batch, attempt, run))
  tell_created(batch, found, new, run, tasks, ids, is_lost)
  if ones(found) < batch.n then call('HSET', batch_key(batch.id), 'p' .. attempt .. nth, found) end
  call('HSET', batch_key(batch.id), 's', batch.s, 'r' .. attempt .. nth, run, 't' .. attempt .. nth, tasks)
  if was_in_doubt and not string.find(batch.s, 'd') then end_doubt(batch) end
  if not string.find(batch.s, 'w') then call('ZREM', P .. ':waiting:' .. batch.account, batch.id) end
  if not string.find(batch.s, 'x') then call('ZREM', P .. ':dead', batch.id) end
  record_of(batch, attempt, began(batch, attempt), ones(found), 'created', code, '')
  close_if_settled(batch)
  follow(batch, found, tasks, function(part, mask, ids)
    local more, again = prove(part, attempt, mask, run, ids, code)
    created, twice = created + more, twice + again
  end)
  return created, twice, ones(found)
end
