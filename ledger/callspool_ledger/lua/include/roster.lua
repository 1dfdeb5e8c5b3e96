-- P:roster: the worker processes that may take, so that a restart of Redis that forgot no take can be
-- told from one that did. An entry holds the last attempt that the process was given, the number of its
-- last sign of life (`beat`), when that was (`seen`, ms), and 1 if it is known that the entry is on disk
-- (`safe`). A process takes nothing before it has an entry. So a take that is forgotten is one of a
-- process that has an entry still, or of one that finds its own entry older than it was.
-- The attempt has a field of its own, `<process>|a`, since it is written with each take.
local function is_in_roster(process)
  return call('HEXISTS', P .. ':roster', process) == 1
end

local function note_given(process, attempt)
  call('HSET', P .. ':roster', process .. '|a', attempt)
end

local function roster_entry(process)
  local f = call('HMGET', P .. ':roster', process, process .. '|a')
  local beat, seen, safe = string.match(f[1] or '', '^(%d+) (%d+) (%d)$')
  if not beat then return nil end
  return { attempt = tonumber(f[2] or '0'), beat = tonumber(beat), seen = tonumber(seen), safe = safe }
end

local function keep_entry(process, entry)
  local text = string.format('%d %d %s', entry.beat, entry.seen, entry.safe)
  call('HSET', P .. ':roster', process, text, process .. '|a', string.format('%d', entry.attempt))
end

local function drop_entry(process)
  call('HDEL', P .. ':roster', process, process .. '|a')
end

local function each_entry(visit)
  for _, process in ipairs(call('HKEYS', P .. ':roster')) do
    if string.sub(process, -2) ~= '|a' then visit(process, roster_entry(process)) end
  end
end
