-- Splitting a batch: its waiting documents move into new batches, the settled ones stay.
local function slice(text, places, width)
  local found = {}
  for i, place in ipairs(places) do
    found[i] = string.sub(text, (place - 1) * width + 1, place * width)
  end
  return found
end

-- The value of a run `place:value,` at each of the places (counted from 1); `first` is the one before
-- the first entry: '' in a run of names; left out, it is a run of numbers.
local function expand_run(run, places, first)
  first = first or 0
  local values, at, value, next_start = {}, 0, first, nil
  local starts, contents = {}, {}
  for start, content in string.gmatch(run, '(%d+):([^,]*),') do
    starts[#starts + 1] = tonumber(start) + 1
    contents[#contents + 1] = first == 0 and tonumber(content) or content
  end
  for i, place in ipairs(places) do
    next_start = starts[at + 1]
    while next_start and next_start <= place do
      at = at + 1
      value, next_start = contents[at], starts[at + 1]
    end
    values[i] = value
  end
  return values
end

local function pack_run(values, first)
  local run, last = '', first or 0
  for i, value in ipairs(values) do
    if value ~= last then
      run, last = run .. (i - 1) .. ':' .. value .. ',', value
    end
  end
  return run
end

-- Moves the documents at `places` (unsettled, counted from 1) into a new batch with the same
-- history, as waiting, in its lane or in the one that is named; the caller has already counted them
-- as waiting. Returns the new batch.
local function move_part(batch, places, documents, tries, lane)
  local f = call('HMGET', batch_key(batch.id), 'd', 'a', 'x', 'h', 'why', 'traces', 'f', 'keys',
    'missed', 'unlooked')
  local body = call('HMGET', lane_key(batch.lane), 'head', 'each')
  local digests = slice(f[1], places, DIGEST_BYTES)
  local numbers = slice(numbers_of(f[7], batch.n), places, NUMBER_BYTES)
  local id, moved, bytes = new_batch_number(), {}, tonumber(body[1])
  local expiries, soonest = expand_run(f[3], places), 0
  for i, place in ipairs(places) do
    moved[i] = documents[place]
    bytes = bytes + #documents[place] + body[2]
    if expiries[i] > 0 and (soonest == 0 or expiries[i] < soonest) then soonest = expiries[i] end
    call('HSET', bucket(batch.g, digests[i]), rest(digests[i]), id * PLACES + i - 1)
  end
  call('HSET', batch_key(id), 'lane', lane or batch.lane, 'account', batch.account, 'g', batch.g,
    'n', #places, 'z', bytes, 's', string.rep('w', #places), 'd', table.concat(digests),
    'f', table.concat(numbers),
    'o', batch.o, 'a', pack_run(expand_run(f[2], places)), 'x', pack_run(expiries),
    'soonest', soonest, 'phase', 'queued', 'tries', tries, 'from', batch.id)
  if f[4] then call('HSET', batch_key(id), 'h', f[4]) end
  if f[5] then call('HSET', batch_key(id), 'why', f[5]) end
  if f[6] then call('HSET', batch_key(id), 'traces', f[6]) end
  if f[9] then call('HSET', batch_key(id), 'missed', f[9]) end
  if f[10] then call('HSET', batch_key(id), 'unlooked', f[10]) end
  local names = f[8] and pack_run(expand_run(f[8], places, ''), '') or ''
  if names ~= '' then call('HSET', batch_key(id), 'keys', names) end
  call('RPUSH', payload_key(id), table.concat(moved, '\30'))
  call('ZADD', P .. ':waiting:' .. batch.account, batch.o, id)
  call('SADD', P .. ':kept:' .. batch.g, id)
  return { id = id, lane = lane or batch.lane, account = batch.account, g = batch.g }
end

-- What is left of a batch whose documents moved away: places that hold nothing, and where each of
-- them went, so that a late proof finds it. `moved` maps places to their new batches; what moved
-- away earlier keeps its own.
local function leave_behind(batch, moved)
  local earlier, known, letters, runs = parts_of(batch), 0, {}, {}
  for place = 1, batch.n do
    local letter, part = string.sub(batch.s, place, place), moved[place]
    if letter == '-' then
      known = known + 1
      part = earlier[known]
    elseif part then
      letter = '-'
    end
    letters[place] = letter
    local run = runs[#runs]
    if part and run and run.part == tostring(part) then
      run.size = run.size + 1
    elseif part then
      runs[#runs + 1] = { part = tostring(part), size = 1 }
    end
  end
  local to = {}
  for i, run in ipairs(runs) do to[i] = run.part .. '*' .. run.size .. ',' end
  batch.s = table.concat(letters)
  call('HSET', batch_key(batch.id), 's', batch.s, 'to', table.concat(to))
  call('ZREM', P .. ':waiting:' .. batch.account, batch.id)
  close_if_settled(batch)
end

-- Splits a batch's documents in state `letter` into batches of at most `size` documents and
-- `bytes` bytes of a body; they go to the head of the lane in their order. Documents at the places
-- in `alone` (a text: `,place,place,`, counted from 1) have a batch each. Tells how many batches.
local function split_waiting(batch, letter, size, bytes, tries, alone)
  local documents, parts, part = documents_of(batch.id), {}, {}
  local body = call('HMGET', lane_key(batch.lane), 'head', 'each')
  local held, was_alone = tonumber(body[1]), false
  for place = 1, batch.n do
    if string.sub(batch.s, place, place) == letter then
      local length = #documents[place] + body[2]
      local is_alone = string.find(alone or '', ',' .. place .. ',', 1, true) ~= nil
      local is_full = #part >= size or held + length > bytes
      if #part > 0 and (is_full or is_alone or was_alone) then
        parts[#parts + 1] = part
        part, held = {}, tonumber(body[1])
      end
      part[#part + 1], held, was_alone = place, held + length, is_alone
    end
  end
  if #part > 0 then parts[#parts + 1] = part end
  local moved = {}
  for i = #parts, 1, -1 do
    local new = move_part(batch, parts[i], documents, tries)
    enqueue(new, true)
    for _, place in ipairs(parts[i]) do moved[place] = new.id end
  end
  leave_behind(batch, moved)
  return #parts
end
