#!lua flags=allow-oom
-- created: the API created the documents of an attempt. Proof is never thrown away: a late answer
-- settles them whatever their state, in the parts too that their batch was split into meanwhile;
-- what is being sent again is settled when that attempt ends.
-- KEYS[1] prefix
-- ARGV[1] batch   ARGV[2] attempt   ARGV[3] taker   ARGV[4] run id
-- ARGV[5] packed task ids (callspool/ledger/task_ids.py)   ARGV[6] code
-- ARGV[7] states that the take handed out   ARGV[8] seal of the batch
-- Reply: {documents created now, documents that another attempt had created already}
-- include: base lanes batches
local attempt, taker, run = ARGV[2], ARGV[3], ARGV[4]
local sub, concat = string.sub, table.concat
local now_created, twice = 0, 0

local function settle_current(batch)
  local _, proved = string.gsub(batch.proved or '', '1', '1')
  now_created, twice = turn(batch, 's', 'c'), proved
end

-- Settles the places that the attempt had sent; tells which of them another attempt sends now.
local function settle_late(batch, sent)
  local letters, proved, moved = {}, {}, {}
  for place = 1, batch.n do
    local letter, is_proved = sub(batch.s, place, place), sub(batch.proved or '', place, place) == '1'
    if sub(sent, place, place) == '1' then
      if letter == 'c' or is_proved then
        twice = twice + 1
      elseif letter == 's' then
        is_proved = true
      elseif letter ~= '-' then
        moved[letter], letter = (moved[letter] or 0) + 1, 'c'
      end
    end
    letters[place], proved[place] = letter, is_proved and '1' or '0'
  end
  batch.s = concat(letters)
  for letter, n in pairs(moved) do
    move(batch, letter, 'c', n)
    now_created = now_created + n
  end
  return concat(proved)
end

-- The packed task ids of some documents among those that were sent together.
local function pick(packed, wanted)
  local ids, lines = {}, {}
  if sub(packed, 1, 1) == '\1' then
    for i, at in ipairs(wanted) do ids[i] = sub(packed, at * 16 - 14, at * 16 + 1) end
    return '\1' .. concat(ids)
  end
  for line in string.gmatch(sub(packed, 2) .. '\n', '([^\n]*)\n') do lines[#lines + 1] = line end
  for i, at in ipairs(wanted) do ids[i] = lines[at] or '' end
  return sub(packed, 1, 1) .. concat(ids, '\n')
end

-- Calls `prove` for each part that places of the batch have moved into.
local function follow(batch, sent, tasks, prove)
  local place, at = 0, 0
  for part, size in string.gmatch(call('HGET', batch_key(batch.id), 'to') or '', '(%d+)%*(%d+),') do
    local mask, wanted = {}, {}
    while #mask < tonumber(size) do
      place = place + 1
      local was_sent = sub(sent, place, place)
      at = at + was_sent
      if sub(batch.s, place, place) == '-' then
        mask[#mask + 1] = was_sent
        if was_sent == '1' then wanted[#wanted + 1] = at end
      end
    end
    if #wanted > 0 then prove(load_batch(part), concat(mask), pick(tasks, wanted)) end
  end
end

-- When the attempt began, as far as the batch knows.
local function began(batch)
  local history = call('HGET', batch_key(batch.id), 'h') or ''
  return string.match('\n' .. history, '\n%[' .. attempt .. ',(%d+),') or NOW
end

local function keep_proof(batch, documents, tasks)
  call('HSET', batch_key(batch.id), 's', batch.s, 'r' .. attempt, run, 't' .. attempt, tasks)
  record(batch, documents, 'created', ARGV[6], '')
  close_if_settled(batch)
end

-- The attempt is over, whatever was known of it: what it sent is where splits have left it.
local function prove(batch, sent, tasks)
  if not batch then return end -- settled, and forgotten since
  local _, documents = string.gsub(sent, '1', '1')
  local proved = settle_late(batch, sent)
  if batch.phase == 'sending' then call('HSET', batch_key(batch.id), 'proved', proved) end
  if documents < batch.n then call('HSET', batch_key(batch.id), 'm' .. attempt, sent) end
  if not string.find(batch.s, 'w') then call('ZREM', P .. ':waiting:' .. batch.account, batch.id) end
  if not string.find(batch.s, 'd') then call('ZREM', P .. ':doubts', batch.id) end
  if not string.find(batch.s, 'x') then call('ZREM', P .. ':dead', batch.id) end
  batch.attempt, batch.taken = tonumber(attempt), began(batch)
  keep_proof(batch, documents, tasks)
  follow(batch, sent, tasks, prove)
end

local batch = load_batch(ARGV[1])
if not batch then return { 0, 0 } end
local function seal_now()
  return seal_of(call('HGET', batch_key(batch.id), 'd') or '')
end
if (batch.seal or seal_now()) ~= ARGV[8] then return { 0, 0 } end
if call('HGET', P .. ':sending', taker) == batch.id .. ':' .. attempt then
  call('HDEL', P .. ':sending', taker)
end
if call('HEXISTS', batch_key(batch.id), 't' .. attempt) == 1 then return { 0, 0 } end
if is_current(batch, attempt, taker) then
  settle_current(batch)
  keep_proof(batch, now_created, ARGV[5])
else
  prove(batch, string.gsub(string.gsub(ARGV[7], '[^s]', '0'), 's', '1'), ARGV[5])
end
call('HDEL', lane_key(batch.lane), 'refused')
tally(batch.account, 'created', ARGV[6])
count(batch.account, 'runs', 1)
count(batch.account, 'created_twice', twice)
return { now_created, twice }
