-- What came of attempts, counted in the very step that records it. P:timings holds histograms, for
-- each account: `account|name|K` → how many fell into bucket K (not cumulated, the last one is open)
-- and `account|name|sum`; names are `batch` (documents), `delivery` and `submission|<outcome>`
-- (milliseconds). A test compares the bounds with reads/snapshot.py.
-- Needs: lanes batches feed calls
local FAILED = { server_error = true, no_answer = true, not_sent = true }

local function bucket_of(value, bounds)
  for k = 1, #bounds do
    if value <= bounds[k] then return k end
  end
  return #bounds + 1
end

-- Adds to histograms, given as name, value and bounds: read together, and written together.
local function observe(...)
  local key, names, more, all = P .. ':timings', {}, {}, { ... }
  for i = 1, #all, 3 do
    names[#names + 1], more[#more + 1] = all[i] .. bucket_of(all[i + 1], all[i + 2]), 1
    names[#names + 1], more[#more + 1] = all[i] .. 'sum', all[i + 1]
  end
  local written = {}
  for i, known in ipairs(call('HMGET', key, unpack(names))) do
    written[#written + 1] = names[i]
    written[#written + 1] = string.format('%.0f', tonumber(known or '0') + more[i])
  end
  call('HSET', key, unpack(written))
end

-- Counts an answer to a create-call for so many documents, taken at that time; one that shows the
-- API at work ends a row of failures.
local function tally(batch, taken, documents, outcome, code)
  if outcome == '' then return end
  local account = batch.account
  call('HINCRBY', P .. ':submissions', account .. '|' .. outcome .. '|' .. code, 1)
  if not FAILED[outcome] then call('HDEL', P .. ':failing', account, account .. '|by') end
  if outcome == 'created' then call('HSET', P .. ':worked', account, NOW) end
  local name, took = account .. '|submission|' .. outcome .. '|', math.max(0, NOW - taken)
  local bounds = { 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000 }
  if outcome == 'not_sent' then return observe(name, took, bounds) end
  observe(name, took, bounds, account .. '|batch|', documents, { 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000 })
end

-- Counts how long documents took from acceptance to creation: those that are created now, and were
-- not in `before`. Runs of `a` are walked, not documents, where the whole batch was created.
local function delivered(batch, before)
  local bounds = {
    500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 900000, 3600000, 21600000, 86400000,
  }
  local is_whole = not string.find(before, 'c', 1, true) and not string.find(batch.s, '[^c]')
  local found, sum = {}, 0

  local function created_among(first, last)
    if is_whole then return last - first + 1 end
    local n = 0
    for place = first, last do
      if string.sub(batch.s, place, place) == 'c' and string.sub(before, place, place) ~= 'c' then
        n = n + 1
      end
    end
    return n
  end

  local function add_run(first, last, offset)
    local n = created_among(first, last)
    if n <= 0 then return end
    local took = math.max(0, NOW - batch.o - offset)
    local k = bucket_of(took, bounds)
    found[k], sum = (found[k] or 0) + n, sum + took * n
  end

  local first, offset = 1, 0
  for start, ms in string.gmatch(batch.a or '', '(%d+):(%d+),') do
    add_run(first, tonumber(start), offset)
    first, offset = start + 1, tonumber(ms)
  end
  add_run(first, batch.n, offset)
  local key, name = P .. ':timings', batch.account .. '|delivery|'
  for k, n in pairs(found) do call('HINCRBY', key, name .. k, n) end
  if sum > 0 then call('HINCRBY', key, name .. 'sum', sum) end
end

-- Documents leave `sending`, except those that a late answer proved created meanwhile.
local function leave_sending(batch, to)
  if batch.proved then
    local letters, before = {}, batch.s
    local n = 0
    for place = 1, batch.n do
      local letter = string.sub(batch.s, place, place)
      if letter == 's' and string.sub(batch.proved, place, place) == '1' then
        letter = 'c'
        n = n + 1
      end
      letters[place] = letter
    end
    batch.s = table.concat(letters)
    move(batch, 's', 'c', n)
    delivered(batch, before)
    begin_calls(batch, before)
    call('HDEL', batch_key(batch.id), 'proved')
  end
  return turn(batch, 's', to)
end
