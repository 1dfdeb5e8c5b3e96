#!lua flags=allow-oom
-- report: a worker process says that it lives, and what it was given last. What Redis has of that shows
-- whether it forgot anything. When each process of the roster has found all of its own after a restart,
-- nothing was forgotten, and the spaces that the restart closed are open again.
-- KEYS[1] prefix
-- ARGV[1] process   ARGV[2] number of this sign of life   ARGV[3] of the last one that was answered
-- ARGV[4] highest attempt that it was given
-- ARGV[5] number of the last restart that it knows of: no reply from before it counts any more
-- ARGV[6] ms of silence after which a process loses its entry
-- ARGV[7] ms after a restart for which others may still report   ARGV[8] lanes at most
-- ARGV[9] wake-ups at most   ARGV[10] 1 if it takes nothing any more, and needs no entry
-- Reply: {number of the last restart, 1 if the process has an entry, spaces that were opened}
-- include: base lanes roster server epochs
local GATES = 500 -- opened in one call, at most
local process, beat, answered = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local attempt, meta = tonumber(ARGV[4]), P .. ':meta'
local epoch = current_epoch(attempt)
local entry = roster_entry(process)

-- Whether what this process was given is there.
local function is_there()
  if not entry then return attempt == 0 and answered == 0 end
  return entry.attempt >= attempt
end

local function open_spaces(first)
  local gates, opened, ready = call('HGETALL', P .. ':gates'), 0, 0
  for i = 1, #gates, 2 do
    local state = string.match(gates[i], '^unread:') and cjson.decode(gates[i + 1])
    if state and (state.epoch or -1) >= first then
      if opened == GATES then return opened, ready, true end
      local _, freed = open_gate('gates', gates[i], tonumber(ARGV[8]))
      opened, ready = opened + 1, ready + freed
    end
  end
  return opened, ready, false
end

-- Nothing was forgotten: things are as before the restart.
local function vouch(first)
  local opened, ready, is_more = open_spaces(first)
  wake(ready, tonumber(ARGV[9]))
  if is_more then return opened end
  for name, was in pairs({ restarted = 'was_restarted', from = 'was_from' }) do
    local value = call('HGET', meta, was)
    if value and value ~= '' then call('HSET', meta, name, value) else call('HDEL', meta, name) end
  end
  give_up_hope()
  return opened
end

local function hear()
  local first = tonumber(call('HGET', meta, 'awaited') or nil)
  if not first then return 0 end
  if not is_there() then
    give_up_hope()
    return 0
  end
  if epoch == tonumber(ARGV[5]) then call('SREM', P .. ':unheard', process) end
  if NOW - tonumber(call('HGET', meta, 'restarted')) < tonumber(ARGV[7]) then return 0 end
  return call('SCARD', P .. ':unheard') == 0 and vouch(first) or 0
end

if entry and entry.beat < answered then -- an older copy of the data
  epoch = begin_epoch(call('HGET', meta, 'taken'), tonumber(call('HGET', meta, 'attempt') or '0'), nil,
    true)
  entry.beat = beat
end
local opened = hear()
if entry then -- what was forgotten counts once
  entry.attempt, entry.beat, entry.seen = math.max(entry.attempt, attempt), math.max(entry.beat, beat), NOW
  if ARGV[10] == '1' then
    drop_entry(process)
  else
    keep_entry(process, entry)
  end
end
each_entry(function(one, other)
  if other.seen < NOW - tonumber(ARGV[6]) and call('SISMEMBER', P .. ':unheard', one) == 0 then
    drop_entry(one)
  end
end)
return { epoch, entry and 1 or 0, opened }
