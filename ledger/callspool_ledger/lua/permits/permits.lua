#!lua flags=allow-oom
-- permits: tells what came of an account's requests, and shares out how many may be in flight.
-- KEYS[1] prefix of the account
-- ARGV[1] holder   ARGV[2] requests that it has in flight   ARGV[3] and at most since it asked last
-- ARGV[4] how many it could have in flight now   ARGV[5] ms until its permits lapse
-- ARGV[6] limit of an account of which nothing is known   ARGV[7] limit that is never exceeded
-- ARGV[8] requests a second, 0 for any number   ARGV[9] requests that it was let begin and did not
-- ARGV[10] what came of requests, as JSON, or '': n carried out in ms altogether; refused, begun
--   after that many cuts; rest, ms; left, requests until reset, ms
-- ARGV[11] a change of the limit, as JSON, or '': version, limit, pause until the next in ms, cuts,
--   state
-- ARGV[12] ms to wait after a refusal for the next of the same crowd; nothing begins meanwhile
-- Reply: {permits; limit; cuts; ms until something may begin, 0 for now; requests that may begin,
--   -1 for as many as there are permits; version; state; what the next change has to go by, as
--   JSON, or '' if none is due; ms of Redis' clock}
-- include: base
local holder, busy, wanted = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[4])
local MICROS = TIME[1] * 1000000 + TIME[2]
local BACK = 1000 -- ms by which a clock goes back before it counts as set back
local KEPT = 86400 -- seconds that an account is remembered which sends nothing
local LONGEST_REST = 600000 -- ms; after so long a rest one request at a time tries whether it is over
local FEW = 10 -- as many times the limit, and requests left are counted
local NAMES = { 'version', 'limit', 'cuts', 'next', 'n', 'ms', 'refused', 'peak', 'rest', 'full_at',
  'left', 'reset', 'struck', 'probing', 'clock' }
local f, known = {}, call('HMGET', P .. ':limit', 'state', 'in_force', unpack(NAMES))
for i, name in ipairs(NAMES) do f[name] = tonumber(known[i + 2] or '0') end
if f.limit == 0 then f.limit = tonumber(ARGV[6]) end
local state = known[1] or ''

-- A clock that was set back would make every rest as much longer: what was left of each is kept.
local function keep_time()
  local back = f.clock - NOW
  if back > BACK then
    for _, name in ipairs({ 'next', 'rest', 'reset', 'struck' }) do
      f[name] = math.max(0, f[name] - back)
    end
    f.full_at = math.max(0, f.full_at - back * 1000)
    local all = call('HGETALL', P .. ':holders')
    for i = 1, #all, 2 do
      local held, till = string.match(all[i + 1], '^(.*) (%d+)$')
      call('HSET', P .. ':holders', all[i], string.format('%s %d', held, till - back))
    end
  end
  if back > BACK or -back >= BACK then f.clock = NOW end
end

local function change(to)
  if to.version ~= f.version then return end
  f.version, f.limit, f.next, f.cuts = to.version + 1, to.limit, NOW + to.pause, to.cuts
  f.n, f.ms, f.refused, f.peak, f.struck, state = 0, 0, 0, 0, 0, to.state
end

-- Later answers of the same window of the API's may be read first.
local function count_down(left, reset)
  local is_new = f.reset <= NOW or NOW + reset > f.reset + 1500
  f.left = is_new and left or math.min(f.left, left)
  f.reset = math.max(is_new and 0 or f.reset, NOW + reset)
end

local function learn(news)
  f.n, f.ms = f.n + news.n, f.ms + news.ms
  if news.cuts == f.cuts and news.refused > 0 then
    f.refused, f.struck = f.refused + news.refused, NOW
  end
  if news.rest > 0 then f.rest = math.max(f.rest, NOW + math.min(news.rest, LONGEST_REST)) end
  f.probing = news.n > 0 and 0 or news.rest >= LONGEST_REST and 1 or f.probing
  if news.left >= 0 then count_down(news.left, news.reset) end
end

-- What the others hold, and what each of all would have if nobody got more than a fair share.
local function others()
  local held, wishes = 0, { wanted }
  local all = call('HGETALL', P .. ':holders')
  for i = 1, #all, 2 do
    local has, used, wish, till = string.match(all[i + 1], '^(%d+) (%d+) (%d+) (%d+)$')
    if tonumber(till) < NOW then
      call('HDEL', P .. ':holders', all[i])
    elseif all[i] ~= holder then
      held = held + math.max(has, used)
      wishes[#wishes + 1] = tonumber(wish)
      f.peak_now = f.peak_now + tonumber(used)
    end
  end
  return held, wishes
end

local function fair(limit, wishes)
  table.sort(wishes)
  local left = limit
  for i, wish in ipairs(wishes) do
    local share = left / (#wishes - i + 1)
    if wish > share then return math.ceil(share) end
    left = left - wish
  end
  return wanted
end

-- Requests a second, evenly: a twentieth of them may begin at once.
local function drawn(rate, most)
  local burst = math.max(1, rate / 20)
  local each = 1000000 / (rate + 1 - burst)
  local full_at = math.max(f.full_at - tonumber(ARGV[9]) * each, MICROS)
  local n = math.min(most, math.floor(burst - (full_at - MICROS) / each + 0.001))
  n = math.max(n, 0)
  f.full_at = full_at + n * each
  local free_at = f.full_at + each - burst * each
  return n, math.max(1, math.ceil((free_at - MICROS) / 1000))
end

keep_time()
if ARGV[11] ~= '' then change(cjson.decode(ARGV[11])) end
if ARGV[10] ~= '' then learn(cjson.decode(ARGV[10])) end
f.peak_now = tonumber(ARGV[3])
local limit = f.probing > 0 and 1 or math.min(f.limit, tonumber(ARGV[7]))
local held, wishes = others()
local permits = math.max(0, math.min(wanted, fair(limit, wishes), limit - held))
local wait, begin = 0, -1
local decided_at = f.refused > 0 and f.struck + tonumber(ARGV[12]) or 0
local closed_until = math.max(f.rest, decided_at)
if closed_until > NOW then
  permits, wait = math.min(permits, busy), closed_until - NOW
end
local new = math.max(0, permits - busy)
if tonumber(ARGV[8]) > 0 then
  begin, wait = drawn(tonumber(ARGV[8]), new)
  wait = math.max(wait, closed_until - NOW)
end
if f.reset > NOW and f.left <= FEW * limit then
  f.left = f.left + tonumber(ARGV[9])
  begin = math.min(begin < 0 and new or begin, f.left)
  f.left = f.left - begin
  if f.left == 0 and begin == 0 then wait = math.max(wait, f.reset - NOW) end
end

-- What is told seldom changes much: a day's end is moved, and a field written, only where it does.
local function keep(key)
  if call('TTL', key) < KEPT / 2 then call('EXPIRE', key, KEPT) end
end

if wanted == 0 and busy == 0 then
  call('HDEL', P .. ':holders', holder)
else
  local till = NOW + tonumber(ARGV[5])
  call('HSET', P .. ':holders', holder, string.format('%d %d %d %d', permits, busy, wanted, till))
  keep(P .. ':holders')
end
f.peak = math.max(f.peak, f.peak_now)
local new_fields = {}
local function store(name, old, value)
  if old ~= value then new_fields[#new_fields + 1], new_fields[#new_fields + 2] = name, value end
end
store('state', known[1], state)
store('in_force', known[2], string.format('%.0f', limit))
for i, name in ipairs(NAMES) do store(name, known[i + 2], string.format('%.0f', f[name])) end
if #new_fields > 0 then call('HSET', P .. ':limit', unpack(new_fields)) end
keep(P .. ':limit')
local window = ''
if (f.refused > 0 and NOW >= decided_at) or (f.refused == 0 and f.n > 0 and NOW >= f.next) then
  window = cjson.encode({
    n = f.n, ms = f.ms, refused = f.refused, peak = f.peak, rest = math.max(0, f.rest - NOW),
  })
end
return { permits, limit, f.cuts, wait, begin, f.version, state, window, NOW }
