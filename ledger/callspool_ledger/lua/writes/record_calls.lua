#!lua flags=allow-oom
-- record_calls: what a look showed of the calls of a batch. Counters change with the letters.
-- KEYS[1] prefix
-- ARGV[1] follower   ARGV[2] space   ARGV[3] batch
-- ARGV[4] what the follower remembers of it (JSON), or ''
-- ARGV[5] ms until it is looked at next, apart from the oldest batches, or '': among these while it
-- has open calls, and never again once it has none; `kept`: as before, and ARGV[4] counts for nothing
-- ARGV[6...] for each place with news: place, letter, status, reason, rings, started and ended (s),
--   seconds, run, its task id packed (both '' where no task is known), and what let it begin outside of
--   its hours (us, platform, or '')
-- Reply: {documents with open calls; for each that changed its letter before and now, joined}; {-1}
--   if another one looks at the space meanwhile, or the batch has gone.
-- include: base lanes batches feed calls outcomes
local FIELDS, WIDTH, MOST_WORDS = 11, 15, 250
local looker = string.match(call('HGET', P .. ':looking', ARGV[2]) or '', '^%d+ (.*)$')
local key = batch_key(ARGV[3])
local f = call('HMGET', key, 'account', 's', 'y', 'yd', 'yw')
if looker ~= ARGV[1] or not f[3] then return { -1 } end
local account, states, y, details = f[1], f[2], f[3], f[4]
local words, number_of = {}, {}
for word in string.gmatch(f[5] or '', '[^\n]+') do
  words[#words + 1] = word
  number_of[word] = #words
end

local function numbered(word)
  if word == '' then return 0 end
  if not number_of[word] then
    if #words >= MOST_WORDS then return 0 end
    words[#words + 1] = word
    number_of[word] = #words
  end
  return number_of[word]
end

local function put(text, place, width, new)
  return string.sub(text, 1, (place - 1) * width) .. new .. string.sub(text, place * width + 1)
end

-- How long after its end, by the API's clock, a call is known to be over.
local function took(ended)
  observe(account .. '|followed|', math.max(0, NOW - ended * 1000), {
    60000, 300000, 600000, 900000, 1800000, 3600000, 7200000, 21600000, 86400000,
  })
end

local changed, changes, told = { 0 }, {}, {}

-- What became of a call that is over is told once it is, and again if it changes.
local function note_event(i, before, letter)
  local what = letter == 'l' and 'lost_sight' or string.find('rnfe', before, 1, true) and 'evaluated' or 'ended'
  local each = told[what] or { places = {}, letters = {}, runs = {}, tasks = {} }
  told[what] = each
  local n = #each.places + 1
  each.places[n], each.letters[n] = tonumber(ARGV[i]), letter
  each.runs[n], each.tasks[n] = ARGV[i + 8] or '', ARGV[i + 9] or ''
end
for i = 6, #ARGV, FIELDS do
  local place, letter = tonumber(ARGV[i]), ARGV[i + 1]
  local before = string.sub(y, place, place)
  if string.sub(states, place, place) == 'c' and (letter ~= 'o' or before == 'o') then
    if letter ~= before then
      y = put(y, place, 1, letter)
      changed[#changed + 1] = before .. letter
      changes[before .. letter] = (changes[before .. letter] or 0) + 1
      note_event(i, before, letter)
      if before == 'o' and tonumber(ARGV[i + 6]) > 0 then took(tonumber(ARGV[i + 6])) end
      if before == 'o' and ARGV[i + 10] ~= '' then count(account, 'outside|' .. ARGV[i + 10], 1) end
    end
    if letter ~= 'l' then
      details = details or string.rep('\0', #states * WIDTH)
      details = put(details, place, WIDTH, struct.pack('>BBBI4I4I4', numbered(ARGV[i + 2]),
        numbered(ARGV[i + 3]), tonumber(ARGV[i + 4]), tonumber(ARGV[i + 5]), tonumber(ARGV[i + 6]),
        tonumber(ARGV[i + 7])))
    end
  end
end
for change, n in pairs(changes) do
  local from, to = OUTCOME[string.sub(change, 1, 1)], OUTCOME[string.sub(change, 2, 2)]
  if from then count(account, from, -n) end
  if to then count(account, to, n) end
  -- What has another outcome after all stays counted among those that had this one.
  if from ~= 'open' then count(account, (from or 'lost_sight') .. '_left', n) end
end
for what, each in pairs(told) do
  tell(load_batch(ARGV[3]), what, each.places, {
    o = table.concat(each.letters), r = join_runs(each.runs), k = join_tasks(each.tasks),
  })
end
call('HSET', key, 'y', y)
if details then call('HSET', key, 'yd', details) end
-- What the call log told was what led to this look; how often it rang is kept while it is followed.
if ARGV[5] ~= 'kept' then call('HDEL', key, 'yl', 'yf') end
if not string.find(y, 'o', 1, true) and ARGV[5] == '' then call('HDEL', key, 'yr') end
if #words > 0 then call('HSET', key, 'yw', table.concat(words, '\n')) end
local _, open = string.gsub(y, 'o', 'o')
changed[1] = open
if ARGV[5] == 'kept' then return changed end
local memory, again = ARGV[4], ARGV[5]
-- The follower saw all calls end, and others of the batch were created meanwhile: these are followed.
if open > 0 and again ~= '' and memory ~= '' and cjson.decode(memory).after then memory, again = '', '' end
local calls, later = P .. ':calls:' .. ARGV[2], P .. ':later:' .. ARGV[2]
local opened = P .. ':opened:' .. ARGV[2]
if open > 0 or again ~= '' then call('HSET', key, 'yt', memory) else call('HDEL', key, 'yt') end
if again ~= '' then
  call('ZREM', calls, ARGV[3])
  call('ZADD', later, NOW + tonumber(again), ARGV[3])
else
  call('ZREM', later, ARGV[3])
  if open > 0 then call('ZADD', calls, call('ZSCORE', opened, ARGV[3]) or NOW, ARGV[3]) end
end
if open == 0 then
  call('ZREM', opened, ARGV[3])
  if again == '' then
    call('ZREM', calls, ARGV[3])
    if not string.find(states, '[^c-]') then call('HDEL', key, 'ids', 'campaign') end
  end
end
return changed
