-- Which attempt an answer, or a look, named a run or a task for first. An answer that names what is
-- another attempt's is the answer to another request: it proves nothing. P:named:<K> maps runs and
-- first tasks to `batch:attempt`, for each stretch of time; the last two are asked.
-- Where that happens, the first to name it may have been the wrong one. So for a while no answer of the
-- account proves anything by itself: P:mixed tells when one was another request's last, by account.
-- An id is at least two bytes long: packed task ids begin with one that says how they are packed.
-- So a batch whose documents an answer told to be created while others were under way is kept whole for
-- a lease (`fresh`): until then it can be distrusted. P:meta `fresh` counts their documents; where they are
-- too many, the newest are closed at once, so that Redis holds no more than some 50 MB for them.
-- Needs: lanes batches feed calls doubts
local NAMED_MS = 900000
local MIXED_MS = 600000
local MOST_FRESH = 100000 -- documents
local DISTRUSTED = 'its answer was, or may have been, that of another request'

local function named_key(back)
  return string.format('%s:named:%d', P, math.floor(NOW / NAMED_MS) - back)
end

local named, is_timed = {}, false -- what this call knows of ids, and of the key it writes

-- Reads together what is asked of several ids.
local function read_named(ids)
  local lately, before = call('HMGET', named_key(0), unpack(ids)), call('HMGET', named_key(1), unpack(ids))
  for i, id in ipairs(ids) do named[id] = lately[i] or before[i] end
end

-- The attempt that a run or a task was named for first, as `batch:attempt`, if that was lately.
local function named_for(id)
  if named[id] == nil then read_named({ id }) end
  return named[id]
end

local function name_for(batch, attempt, ids)
  local key, owner, new = named_key(0), batch.id .. ':' .. attempt, {}
  for _, id in ipairs(ids) do
    if #id > 1 and not named_for(id) then
      named[id] = owner
      new[#new + 1], new[#new + 2] = id, owner
    end
  end
  if #new == 0 then return end
  call('HSET', key, unpack(new))
  if not is_timed and call('PTTL', key) < 0 then call('PEXPIRE', key, 2 * NAMED_MS) end
  is_timed = true
end

local function note_mixed(account)
  call('HSET', P .. ':mixed', account, NOW)
end

local function is_mixed(account)
  return NOW - tonumber(call('HGET', P .. ':mixed', account) or '0') < MIXED_MS
end

-- Keeps a batch that could be closed, if another request may have been answered with its answer.
-- `proof` is what a proof has to go by, should it be distrusted.
local function keep_fresh(batch, proof)
  if batch.proved or string.find(batch.s, UNSETTLED) then return false end
  if call('HLEN', P .. ':sending') == 0 and call('EXISTS', P .. ':doubts:' .. space_of(batch)) == 0 then
    return false
  end
  if call('HINCRBY', P .. ':meta', 'fresh', batch.n) > MOST_FRESH then
    call('HINCRBY', P .. ':meta', 'fresh', -batch.n)
    return false
  end
  local lease = call('HGET', batch_key(batch.id), 'lease') or '0'
  call('HSET', batch_key(batch.id), 'phase', 'fresh', 'settled', NOW, 'proof', proof)
  call('HINCRBY', lane_key(batch.lane), 'fresh', 1)
  call('ZADD', P .. ':due', NOW + tonumber(lease), 'F' .. batch.id)
  return true
end

-- The packed task ids of some documents among those that were packed together.
local function pick(packed, wanted)
  local ids, lines = {}, {}
  if string.sub(packed, 1, 1) == '\1' then
    for i, at in ipairs(wanted) do ids[i] = string.sub(packed, at * 16 - 14, at * 16 + 1) end
    return '\1' .. table.concat(ids)
  end
  for line in string.gmatch(string.sub(packed, 2) .. '\n', '([^\n]*)\n') do lines[#lines + 1] = line end
  for i, at in ipairs(wanted) do ids[i] = lines[at] or '' end
  return string.sub(packed, 1, 1) .. table.concat(ids, '\n')
end

-- Puts in doubt again what an answer told that names `id`: it was another request's, or may have been.
-- Tells how many documents; none once the batch was closed, or what a look has seen at the API.
local function distrust(id, code)
  local number, attempt = string.match(named_for(id) or '', '^(%d+):(%d+)$')
  local batch = number and load_batch(number)
  if not batch or batch.phase ~= 'fresh' or batch.attempt ~= tonumber(attempt) then return 0 end
  local key = batch_key(batch.id)
  local f = call('HMGET', key, 'r' .. attempt, 'm' .. attempt, 'y', 't' .. attempt)
  local sent, y = f[2] or string.rep('1', batch.n), f[3] or ''
  local letters, outcomes, n, kept, wanted, at = {}, {}, 0, {}, {}, 0
  for place = 1, batch.n do
    local letter, outcome = string.sub(batch.s, place, place), string.sub(y, place, place)
    local was_sent = string.sub(sent, place, place) == '1'
    at, kept[place] = at + (was_sent and 1 or 0), '0'
    if was_sent and letter == 'c' and outcome == 'o' then
      letter, outcome, n = 'd', '-', n + 1
    elseif was_sent and letter == 'c' then
      kept[place], wanted[#wanted + 1] = '1', at -- a look has seen its call
    end
    letters[place], outcomes[place] = letter, outcome
  end
  if n == 0 then return 0 end
  local before = batch.s
  batch.s, y = table.concat(letters), table.concat(outcomes)
  tell(batch, 'held', turned(batch, before, 'd'), { w = DISTRUSTED })
  move(batch, 'c', 'd', n)
  count(batch.account, 'created_left', n)
  count(batch.account, 'open', -n)
  call('HINCRBY', lane_key(batch.lane), 'unsettled', n)
  no_longer_fresh(batch)
  call('HINCRBY', P .. ':g' .. batch.g, 'unsettled', n)
  local space, why = space_of(batch), DISTRUSTED
  if not string.find(y, 'o') then
    for _, calls in ipairs({ ':calls:', ':later:', ':opened:' }) do call('ZREM', P .. calls .. space, batch.id) end
  end
  call('ZREM', P .. ':runs:' .. space, f[1])
  for _, name in ipairs({ f[1], string.sub(f[4], 1, 17) }) do
    for back = 0, 1 do
      if call('HGET', named_key(back), name) == number .. ':' .. attempt then
        call('HDEL', named_key(back), name)
      end
    end
  end
  call('HDEL', key, 'settled')
  call('HINCRBY', key, 'distrusted', 1)
  if #wanted == 0 then
    call('HDEL', key, 'r' .. attempt, 't' .. attempt)
  else
    call('HSET', key, 'p' .. attempt, table.concat(kept), 't' .. attempt, pick(f[4], wanted))
  end
  call('HSET', key, 's', batch.s, 'y', y, 'tries', batch.tries + 1, 'why', why)
  record(batch, n, 'no_answer', code, why)
  begin_doubt(batch)
  return n
end

-- Whether a run or a task was named for another attempt first. Their numbers alone are compared: no
-- two attempts share one, while a part of a batch may have been the first to prove its attempt's run.
local function is_anothers(attempt, id)
  local owner = #id > 1 and named_for(id)
  return owner and string.match(owner, ':(%d+)$') ~= tostring(attempt)
end
