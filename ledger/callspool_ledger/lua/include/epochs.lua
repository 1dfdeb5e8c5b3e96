-- After Redis restarted, failed over or was restored, its last writes may be gone: takes among them,
-- so that what was sent looks as if it waited. Fields of P:meta: `server` and `replid` name the
-- server and its data as they answered last; `epoch` counts the changes of these, `restarted` is when
-- the last one was noticed, `from` the moment from which on spaces are read back because of it. The
-- first server is known from the ledger's beginning: the very first take may be forgotten, too.
-- `lease` and `quiet` are the longest ones of any take (ms): so long after a forgotten take the API
-- may still carry it out unseen.
-- Every space waits behind a gate `unread` until it was read back: those that hold documents at once,
-- any other when it is heard of again, however late. P:read tells when spaces were read back last.
-- A new ledger does not know what the one before it sent, if there was one: `unread_from` is from when
-- on it reads each space back that it hears of for the first time. Whose marks these are, it cannot
-- know then: its gates are `new`. A gate is `soft` where nothing tells that there was a ledger before:
-- it opens where the space may not be read at all.
-- Where nothing was forgotten nobody has to wait: P:unheard holds the processes of the roster as Redis
-- had it when it restarted, until each has said that what it was given last is there. Meanwhile P:meta
-- `awaited` is the first epoch that this will vouch for; `was_restarted` and `was_from` are what it puts
-- back. A gate names its `epoch`.
-- A gate was `closed` at the change of number `clock`, and opens at the earliest a lease and a quiet period
-- later. A further change before that moment puts nothing off if the gate is `firm`, that is nobody could
-- vouch for it: it was not open since, in whatever was forgotten. `checked` is the last change of which
-- that was asked.
-- A replica that is promoted reads back only once its primary stopped giving out takes as well (`overlap`).
-- Needs: lanes roster server
local FORGOTTEN_MS = 60000 -- how long before the last known take a forgotten one may have been
local ATTEMPTS_SKIPPED = 1000000 -- numbers that forgotten takes may have used
local BEGUN_MS = 3600000 -- how far back a new ledger reads what one before it may have sent
local GONE_MS = 86400000 -- the same where there certainly was one before
local LONGEST_ALONE_MS = 30000
local LAG_MS = 2000 -- by which the moment may be wrong at which a replica was in touch last

local RESTARTED = 'Redis restarted: what was sent just before is read back first'
local BEGUN = 'this ledger is new: what was sent to the space before is read back first'

-- Has the waiting of a closed space begin anew after a change, if it has to. `change`: what is known of
-- that: whether it forgot something for certain (`forgot`), and whether anybody may vouch that it did not
-- (`has_hope`).
local function keep_waiting(gate, state, change)
  local f = call('HMGET', P .. ':meta', 'epoch', 'restarted', 'lease', 'quiet', 'overlap')
  local epoch, restarted = tonumber(f[1] or '0'), tonumber(f[2] or '0')
  if (state.checked or 0) == epoch then return state end
  local over = (state.closed or 0) + tonumber(f[3] or '0') + tonumber(f[4] or '0')
  local is_kept = not change.forgot and state.firm and state.checked == epoch - 1
    and restarted + tonumber(f[5] or '0') < over
  if not is_kept then
    state.closed, state.clock, state.last, state.firm = restarted, epoch, nil, not change.has_hope
  end
  state.checked = epoch
  call('HSET', P .. ':gates', gate, cjson.encode(state))
  return state
end

-- Nothing of the space is sent until it was read back from that moment (ms) on.
local function close_until_read(space, from, is_new, is_soft, epoch, change)
  local gate = 'unread:' .. space
  local known = call('HGET', P .. ':gates', gate)
  change = change or { forgot = true, has_hope = true }
  if known then return keep_waiting(gate, cjson.decode(known), change) end
  local f = call('HMGET', P .. ':meta', 'epoch', 'restarted')
  local now = tonumber(f[1] or '0')
  set_gate(gate, {
    since = NOW, refusals = 0, probe = 'none', code = '', from = from, new = is_new, soft = is_soft,
    epoch = epoch, closed = tonumber(f[2] or '0'), clock = now, checked = now, firm = not change.has_hope,
    reason = is_soft and BEGUN or RESTARTED,
  })
  call('ZADD', P .. ':proofs', 'LT', NOW, space)
end

-- Closes a space of whose last reading back `read` tells the time (ms), if it was read at all.
local function close_again(space, from, read, change)
  local first = not read and tonumber(call('HGET', P .. ':meta', 'unread_from') or nil)
  local epoch = not first and tonumber(call('HGET', P .. ':meta', 'epoch') or '0') or nil
  from = first and math.min(first, from) or from
  close_until_read(space, from, first and true or nil, nil, epoch, change)
end

-- Nothing can show any more that nothing was forgotten.
local function give_up_hope()
  call('HDEL', P .. ':meta', 'awaited')
  call('UNLINK', P .. ':unheard')
end

-- Waits for word from each process that may have taken something. One whose entry may not be on disk,
-- or none at all, means that the takes of others may be forgotten with their entries.
local function await_word(epoch)
  if call('HEXISTS', P .. ':meta', 'awaited') == 0 then call('UNLINK', P .. ':unheard') end
  local safe, known = true, 0
  each_entry(function(process, entry)
    known, safe = known + 1, safe and entry.safe == '1'
    entry.seen = NOW
    keep_entry(process, entry)
    call('SADD', P .. ':unheard', process)
  end)
  if known == 0 or not safe then return give_up_hope() end
  if call('HSETNX', P .. ':meta', 'awaited', epoch) == 0 then return end
  local f = call('HMGET', P .. ':meta', 'restarted', 'from')
  call('HSET', P .. ':meta', 'was_restarted', f[1] or '', 'was_from', f[2] or '')
end

-- `is_plain`: the same server started again on its own data, as far as it can tell. `forgot`: it is known
-- that something was forgotten.
local function begin_epoch(last_take, attempt, is_plain, forgot)
  local epoch = call('HINCRBY', P .. ':meta', 'epoch', 1)
  if is_plain then
    await_word(epoch)
  else
    give_up_hope()
    call('HDEL', P .. ':meta', 'replica_at')
    local alone = tonumber(call('HGET', P .. ':meta', 'alone') or '0')
    call('HSET', P .. ':meta', 'overlap', alone + math.min(alone, LAG_MS))
  end
  local from = tonumber(last_take or NOW) - FORGOTTEN_MS
  call('HSET', P .. ':meta', 'restarted', NOW, 'from', from,
    'attempt', string.format('%d', attempt + ATTEMPTS_SKIPPED))
  call('UNLINK', P .. ':looking') -- a look that Redis broke off holds up nobody
  for _, lane in ipairs(call('SMEMBERS', P .. ':lanes')) do
    local f = call('HMGET', lane_key(lane), 'account', 'space')
    local space = f[1] .. '|' .. f[2]
    close_again(space, from, call('HGET', P .. ':read', space), { forgot = forgot, has_hope = is_plain })
  end
  return epoch
end

-- A ledger was begun; where there was one before, as far as anybody knows, it has gone.
local function begin_unread(is_gone)
  local from = NOW - (is_gone and GONE_MS or BEGUN_MS)
  local known = tonumber(call('HGET', P .. ':meta', 'unread_from') or from)
  call('HSET', P .. ':meta', 'unread_from', string.format('%d', math.min(from, known)))
  if is_gone then begin_epoch(from, tonumber(call('HGET', P .. ':meta', 'attempt') or '0'), nil, true) end
end

local replica_seen = 0

-- Notes once a second when a replica was in touch last.
local function see_replicas(info)
  if string.find(info, 'connected_slaves:0\r', 1, true) then return end
  local f = call('HMGET', P .. ':meta', 'replica_at', 'lease')
  replica_seen = last_touch(info, f[1])
  if replica_seen == 0 or replica_seen < tonumber(f[1] or '0') + 1000 then return end
  call('HSET', P .. ':meta', 'replica_at', string.format('%d', replica_seen), 'alone',
    string.format('%d', math.min(LONGEST_ALONE_MS, tonumber(f[2] or '0') / 2)))
end

-- The epoch of the server that runs this script. `known` is the highest attempt that the caller knows
-- of: a ledger that has not given out that number yet has forgotten it.
local function current_epoch(known)
  local server, replid, before, info = this_server()
  local f = call('HMGET', P .. ':meta', 'server', 'epoch', 'taken', 'replid', 'attempt')
  local attempt = tonumber(f[5] or '0')
  local is_same_history = f[4] == replid or f[4] == before or not f[4]
  if f[1] == server and is_same_history and known <= attempt then
    if f[4] ~= replid then
      call('HSET', P .. ':meta', 'replid', replid)
      call('HDEL', P .. ':meta', 'replica_at')
    end
    see_replicas(info)
    return tonumber(f[2] or '0')
  end
  call('HSET', P .. ':meta', 'server', server, 'replid', replid)
  -- A replica that was promoted has a second history, and one that lags may lack what others were given.
  -- A server that never had a replica, or none for long, names its history anew as it gets one.
  local is_plain = f[1] and known <= attempt and not string.match(before, '[^0]')
    and string.match(call('INFO', 'persistence'), 'aof_enabled:1')
  return begin_epoch(f[3], math.max(attempt, known), is_plain, known > attempt)
end

-- Keeps the longest lease and quiet period of all takes; tells whether the guard is to be asked, and
-- the last attempt.
local function keep_longest(lease, quiet)
  local f = call('HMGET', P .. ':meta', 'lease', 'quiet', 'guarded', 'attempt')
  if lease > tonumber(f[1] or '0') then call('HSET', P .. ':meta', 'lease', lease) end
  if quiet > tonumber(f[2] or '0') then call('HSET', P .. ':meta', 'quiet', quiet) end
  return f[3] or '', tonumber(f[4] or '0')
end

-- A space that is heard of after a restart may be one that the restart made the ledger forget.
local function read_back_if_new(account, space)
  local f = call('HMGET', P .. ':meta', 'restarted', 'from', 'unread_from')
  local named = account .. '|' .. space
  local read = call('HGET', P .. ':read', named)
  if f[1] and tonumber(read or '0') < tonumber(f[1]) then
    close_again(named, tonumber(f[2]), read)
  elseif f[3] and not read then
    close_until_read(named, tonumber(f[3]), true, true)
  end
end
