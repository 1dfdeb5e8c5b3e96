-- P:roster: the worker processes that may take, so that a restart of Redis that forgot no take can be
-- told from one that did. An entry holds the last attempt that the process was given, the number of its
-- last sign of life (`beat`), when that was (`seen`, ms), and 1 if it is known that the entry is on disk
-- (`safe`). A process takes nothing before it has an entry. So a take that is forgotten is one of a
-- process that has an entry still, or of one that finds its own entry older than it was.
local function roster_entry(process)
  local found = call('HGET', P .. ':roster', process)
  local attempt, beat, seen, safe = string.match(found or '', '^(%d+) (%d+) (%d+) (%d)$')
  if not attempt then return nil end
  return { attempt = tonumber(attempt), beat = tonumber(beat), seen = tonumber(seen), safe = safe }
end

local function keep_entry(process, entry)
  local text = string.format('%d %d %d %s', entry.attempt, entry.beat, entry.seen, entry.safe)
  call('HSET', P .. ':roster', process, text)
end

local function each_entry(visit)
  for _, process in ipairs(call('HKEYS', P .. ':roster')) do
    visit(process, roster_entry(process))
  end
end
