#!lua flags=allow-oom
-- end_look: a space was read back, or could not be; sets when it is looked at again.
-- KEYS[1] prefix
-- ARGV[1] looker   ARGV[2] space   ARGV[3] ms until the next look
-- ARGV[4] `read`; `partly` if some of its runs could not be read; `not` if nothing could
-- ARGV[5] why it cannot be read for now ('' if it may yet)
-- Reply: 1; 0 if somebody else looks at it meanwhile.
-- include: base lanes batches doubts
local LANES, WAKE_UPS = 500, 256 -- that are freed, and made, at once, at most
local till, looker = string.match(call('HGET', P .. ':looking', ARGV[2]) or '', '^(%d+) (.*)$')
if looker ~= ARGV[1] then return 0 end
call('HDEL', P .. ':looking', ARGV[2])
if ARGV[4] == 'not' then call('HSET', P .. ':gaps', ARGV[2], NOW) end
if ARGV[4] == 'read' then
  call('HDEL', P .. ':unreadable', ARGV[2])
else
  call('HSETNX', P .. ':unreadable', ARGV[2], NOW)
  local gate = 'unread:' .. ARGV[2]
  local known = call('HGET', P .. ':gates', gate)
  if known and ARGV[5] ~= '' then
    local state = cjson.decode(known)
    if state.soft then
      local _, ready = open_gate('gates', gate, LANES)
      wake(ready, WAKE_UPS)
    else
      state.stuck, state.reason = true, ARGV[5]
      call('HSET', P .. ':gates', gate, cjson.encode(state))
    end
  end
end
if rest_space(ARGV[2]) then return 1 end
if call('ZSCORE', P .. ':proofs', ARGV[2]) == till then
  call('ZADD', P .. ':proofs', NOW + tonumber(ARGV[3]), ARGV[2])
end -- else a new doubt came meanwhile: it is looked at at once
return 1
