-- Which attempt an answer, or a look, named a run or a task for first. An answer that names what is
-- another attempt's is the answer to another request: it proves nothing. P:named:<K> maps runs and
-- first tasks to `batch:attempt`, for each stretch of time; the last two are asked.
-- Where that happens, the first to name it may have been the wrong one. So for a while no answer of the
-- account proves anything by itself: P:mixed tells when one was another request's last, by account.
-- An id is at least two bytes long: packed task ids begin with one that says how they are packed.
-- Needs: batches
local NAMED_MS = 900000
local MIXED_MS = 600000

local function named_key(back)
  return string.format('%s:named:%d', P, math.floor(NOW / NAMED_MS) - back)
end

-- The attempt that a run or a task was named for first, as `batch:attempt`, if that was lately.
local function named_for(id)
  return call('HGET', named_key(0), id) or call('HGET', named_key(1), id)
end

local function name_for(batch, attempt, id)
  local key = named_key(0)
  if #id < 2 or named_for(id) then return end
  call('HSET', key, id, batch.id .. ':' .. attempt)
  if call('PTTL', key) < 0 then call('PEXPIRE', key, 2 * NAMED_MS) end
end

local function note_mixed(account)
  call('HSET', P .. ':mixed', account, NOW)
end

local function is_mixed(account)
  return NOW - tonumber(call('HGET', P .. ':mixed', account) or '0') < MIXED_MS
end

-- Whether a run or a task was named for another attempt first. Their numbers alone are compared: no
-- two attempts share one, while a part of a batch may have been the first to prove its attempt's run.
local function is_anothers(attempt, id)
  local owner = #id > 1 and named_for(id)
  return owner and string.match(owner, ':(%d+)$') ~= tostring(attempt)
end
