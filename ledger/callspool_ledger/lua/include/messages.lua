-- Messages as `accept` gets them (see its header): where each begins, and what a group is.
local MESSAGE_ARGUMENTS, GROUP_ARGUMENTS, REFUSED_ARGUMENTS = 6, 16, 2

local function read_group(i)
  return {
    lane = ARGV[i], account = ARGV[i + 1], space = ARGV[i + 2], campaign = ARGV[i + 3],
    pilot = ARGV[i + 4], context = ARGV[i + 5], schedule = ARGV[i + 6],
    head = tonumber(ARGV[i + 7]), expires = tonumber(ARGV[i + 8]), reason = ARGV[i + 9],
    suppressed = ARGV[i + 10], digests = ARGV[i + 11], numbers = ARGV[i + 12], payload = ARGV[i + 13],
    zones = ARGV[i + 14], clear = ARGV[i + 15],
  }
end

-- Where the arguments of each message begin.
local function begins()
  local found, i = {}, 8
  while ARGV[i] do
    found[#found + 1] = i
    i = i + MESSAGE_ARGUMENTS + tonumber(ARGV[i + 2]) * GROUP_ARGUMENTS
      + tonumber(ARGV[i + 3]) * REFUSED_ARGUMENTS
  end
  return found
end

-- The messages that are pending, asked for at once: those that were read together lie next to each
-- other. One that is not among them is asked for by itself.
local function pending(places)
  local first, last = ARGV[places[1]], ARGV[places[#places]]
  local found = {}
  for _, each in ipairs(call('XPENDING', KEYS[2], ARGV[1], first, last, #places)) do
    found[each[1]] = true
  end
  return found
end

-- Appends `place:ms,` where the value changes, so that a run of equals costs one entry.
local function extend_run(run, place, value)
  local last = string.match(run, ':(%d+),$')
  if last == tostring(value) or (run == '' and value == 0) then return run end
  return run .. place .. ':' .. value .. ','
end

-- The same for names; the first of them is ''.
local function extend_names(run, place, name)
  if (string.match(run, ':([^,]*),$') or '') == name then return run end
  return run .. place .. ':' .. name .. ','
end

local function register_scope(group)
  if call('SADD', P .. ':accounts', group.account) == 1 then
    call('HSETNX', P .. ':counts', group.account .. '|since', NOW)
  end
  call('SADD', P .. ':scopes', cjson.encode({ group.account, group.space, group.campaign }))
end

local TRACES = 8

-- Some traceparents of the requests in a batch, so that its attempts can tell them.
local function keep_trace(id, trace)
  local known = call('HGET', batch_key(id), 'traces') or ''
  if #known < TRACES * (#trace + 1) and not string.find(known, trace, 1, true) then
    call('HSET', batch_key(id), 'traces', known .. trace .. ' ')
  end
end
