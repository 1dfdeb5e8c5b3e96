#!lua flags=allow-oom
-- reserve: asks whether the documents of an attempt may be called now, and counts their calls if all of
-- them may. Asked again for the same attempt, it counts nothing twice.
-- KEYS[1] prefix of the guard
-- ARGV[1] id of the key that the digests are made with   ARGV[2] account   ARGV[3] campaign
-- ARGV[4] digests of numbers, 9 bytes each, each once a document
-- ARGV[5] the document of each (`place,`, counted from 0), or '' where each is one of its own
-- ARGV[6] token of the attempt   ARGV[7] tokens, a space behind each, of earlier attempts that
-- provably called none of these documents   ARGV[8] tokens of attempts that are settled
-- ARGV[9] ms that the attempt may take to call
-- ARGV[10] version of the lists that cleared these documents already, '' if none did
-- Reply: {version of the lists, {place of a digest, number of its source, ...}, {number of a
--   source, the source as JSON, ...}, {document, ms when its number may be called, calls, ms, whose
--   (installation, account or campaign), ...}, 1 if calls were counted}; nothing was counted if any of
--   these is there. Places are counted from 0. An error UNSURE if Redis may have forgotten calls.
-- include: suppressed screening server called
if is_other_key(ARGV[1]) then return OTHER_KEY end
local SWEPT = 4 -- buckets of which what counts no more is dropped, in one call
local account, campaign, digests, token = ARGV[2], ARGV[3], ARGV[4], ARGV[6]
local meta, held = P .. ':meta', P .. ':held:' .. token
for settled in string.gmatch(ARGV[8], '%S+') do note_settled(settled) end
if tonumber(ARGV[9]) > LEASE then
  LEASE = tonumber(ARGV[9])
  call('HSET', meta, 'lease', ARGV[9])
end
for missed in string.gmatch(ARGV[7], '%S+') do take_back(missed, digests) end

local version = call('HGET', meta, 'version') or '0'
local found, sources = {}, {}
if version ~= ARGV[10] then found, sources = screen(account, campaign, digests) end
if #found > 0 then
  take_back(token, digests)
  call('DEL', held)
  return { version, found, sources, {} }
end
local CLEAR = { version, {}, {}, {} }
local longest = tonumber(call('HGET', meta, 'longest') or '0')
if longest == 0 or call('EXISTS', held) == 1 then return CLEAR end

-- The caps that hold here, each {calls, ms, whose}, and whose the calls are.
local caps, scope = {}, 0
local own = account .. '\31' .. campaign
local written = call('HMGET', P .. ':caps', '', account, own)
for i, whose in ipairs({ 'installation', 'account', 'campaign' }) do
  local set = written[i] and cjson.decode(written[i])
  if set then
    scope = set.n
    for _, cap in ipairs(set.caps) do caps[#caps + 1] = { cap[1], cap[2], whose } end
  end
end
if #caps == 0 then return CLEAR end
if select(2, see_server(longest)) then
  return redis.error_reply('UNSURE Redis may have forgotten calls: they are counted anew first')
end

local names = {} -- of the scopes of calls
local function is_of(whose, of)
  if whose == 'installation' or of == scope then return true end
  if whose == 'campaign' or of == 0 then return false end
  names[of] = names[of] or call('HGET', P .. ':scopes', of) or ''
  return names[of] == account or sub(names[of], 1, #account + 1) == account .. '\31'
end

-- Until when a cap keeps a number from being called; nil if it does not.
local function kept_until(cap, calls)
  local left = cap[1]
  for at = #calls - CALL_BYTES + 1, 1, -CALL_BYTES do
    local a, b = byte(calls, at + 3, at + 4)
    if is_of(cap[3], a * 256 + b) then
      local till = counts_until(unit_at(calls, at), cap[2])
      if till > NOW then
        left = left - 1
        if left == 0 then return till end
      end
    end
  end
end

local places = {} -- of the digests' documents
for place in string.gmatch(ARGV[5], '%d+') do places[#places + 1] = tonumber(place) end

local reserved = call('HINCRBY', meta, 'reserved', 1) % NUMBERS
local packed = pack_call(NOW_UNIT, scope, reserved)
local capped, changes = {}, {} -- changes: key, field, and the calls that were there, of each number counted
local function note_call(key, field, calls)
  local n = #changes
  changes[n + 1], changes[n + 2], changes[n + 3] = key, field, calls
end

-- Counts a document's calls, which those behind it then find; or notes why it may not be called. Where
-- numbers are called for the first time, as a rule, one command asks and counts.
local is_first = true
local function count_document(document, first, last)
  local worst, by, known = nil, nil, {}
  for i = first, last do
    local key, field = calls_key(digests, (i - 1) * ENTRY_BYTES + 1)
    if is_first and first == last and call('HSETNX', key, field, packed) == 1 then
      return note_call(key, field, '')
    end
    local calls = call('HGET', key, field) or ''
    is_first = calls == ''
    known[i] = { key, field, calls }
    for _, cap in ipairs(caps) do
      local till = kept_until(cap, calls)
      if till and (not worst or till > worst) then worst, by = till, cap end
    end
  end
  if worst then
    for _, told in ipairs({ document, worst, by[1], by[2], by[3] }) do capped[#capped + 1] = told end
    return
  end
  for i = first, last do
    local key, field, calls = unpack(known[i])
    call('HSET', key, field, without_old(calls, longest) .. packed)
    note_call(key, field, calls)
  end
end

local count, at = #digests / ENTRY_BYTES, 1
while at <= count do
  local last = at
  while ARGV[5] ~= '' and places[last + 1] == places[at] do last = last + 1 end
  count_document(places[at] or at - 1, at, last)
  at = last + 1
end
if #capped > 0 then
  for n = #changes - 2, 1, -3 do keep_calls(changes[n], changes[n + 1], changes[n + 2]) end
  return { version, {}, {}, capped }
end
hold(token, NOW_UNIT, reserved, longest)

local function sweep(bucket)
  local key = P .. ':c:' .. char(floor(bucket / 256) % 256, bucket % 256)
  local all = call('HGETALL', key)
  for i = 1, #all, 2 do
    local kept = without_old(all[i + 1], longest)
    if kept ~= all[i + 1] then keep_calls(key, all[i], kept) end
  end
end

local swept = call('HINCRBY', meta, 'swept', SWEPT)
for bucket = swept, swept + SWEPT - 1 do sweep(bucket) end
return { version, {}, {}, {}, 1 }
