#!lua flags=allow-oom
-- created: the API created the documents of an attempt. Proof is never thrown away: a late answer
-- settles what waits or is in doubt; what is being sent again is settled when that attempt ends.
-- KEYS[1] prefix
-- ARGV[1] batch   ARGV[2] attempt   ARGV[3] taker   ARGV[4] run id   ARGV[5] packed task ids
-- ARGV[6] code
-- Reply: {documents created now, documents that another attempt had created already}
-- include: base generations lanes batches
local batch = load_batch(ARGV[1])
if not batch then return { 0, 0 } end
local attempt, taker, run, tasks = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if call('HGET', P .. ':sending', taker) == batch.id .. ':' .. attempt then
  call('HDEL', P .. ':sending', taker)
end
if call('HEXISTS', batch_key(batch.id), 't' .. attempt) == 1 then return { 0, 0 } end

local function settle_current()
  return turn(batch, 's', 'c')
end

-- The places that the attempt sent, one character each.
local function sent_places()
  return call('HGET', batch_key(batch.id), 'm' .. attempt) or string.rep('1', batch.n)
end

local function settle_late()
  local sent, letters, proved = sent_places(), {}, {}
  local from, twice = { w = 0, d = 0 }, 0
  for place = 1, batch.n do
    local letter = string.sub(batch.s, place, place)
    proved[place] = '0'
    if string.sub(sent, place, place) == '1' then
      if from[letter] then
        from[letter], letter = from[letter] + 1, 'c'
      elseif letter == 's' then
        proved[place] = '1'
      elseif letter == 'c' then
        twice = twice + 1
      end
    end
    letters[place] = letter
  end
  batch.s = table.concat(letters)
  move(batch, 'w', 'c', from.w)
  move(batch, 'd', 'c', from.d)
  if batch.phase == 'sending' then
    call('HSET', batch_key(batch.id), 'proved', table.concat(proved))
  end
  return from.w + from.d, twice
end

local now_created, twice
if is_current(batch, attempt) then
  now_created = settle_current()
  local _, proved = string.gsub(batch.proved or '', '1', '1')
  twice = proved
else
  now_created, twice = settle_late()
end
call('HSET', batch_key(batch.id), 's', batch.s, 'r' .. attempt, run, 't' .. attempt, tasks)
record(batch, now_created, 'created', ARGV[6], '')
tally(batch.account, 'created', ARGV[6])
count(batch.account, 'runs', 1)
count(batch.account, 'created_twice', twice)
if batch.phase == 'doubt' and not string.find(batch.s, 'd') then
  call('ZREM', P .. ':doubts', batch.id)
end
close_if_settled(batch)
return { now_created, twice }
