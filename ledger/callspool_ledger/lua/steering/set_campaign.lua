#!lua flags=allow-oom
-- set_campaign: writes what holds for a campaign of an account, or that nothing does any more. It is
-- in force at the next take: what waits behind its bars is looked at again.
-- KEYS[1] prefix
-- ARGV[1] account   ARGV[2] campaign   ARGV[3] revision that was read, 0 if there was none
-- ARGV[4] the record as JSON, '' for none   ARGV[5] who asks   ARGV[6] the selector as JSON, for the
-- journal   ARGV[7] what was asked for, for the journal   ARGV[8] 1 if calls begin at some hours only
-- Reply: {number of the journal's entry}; {} if somebody else changed it meanwhile
-- include: base lanes campaigns journal
local key = campaign_key(ARGV[1], ARGV[2])
local known = string.match(call('HGET', P .. ':campaigns', key) or '0 ', '^%d+')
if known ~= ARGV[3] then return {} end
if ARGV[4] == '' then
  call('HDEL', P .. ':campaigns', key)
  call('HDEL', P .. ':paced', key, key .. '\31parts')
else
  local revision = call('HINCRBY', P .. ':meta', 'campaigns', 1)
  call('HSET', P .. ':campaigns', key, string.format('%d ', revision) .. ARGV[4])
  call('HDEL', P .. ':paced', key)
end
-- The bars of its classes of zones are named by what is kept of them.
for _, field in ipairs(call('HKEYS', P .. ':hours')) do
  if string.sub(field, 1, #key + 1) == key .. '\31' then
    call('ZADD', P .. ':due', NOW, 'Ghours:' .. field)
    if ARGV[8] ~= '1' then call('HDEL', P .. ':hours', field) end
  end
end
for _, bar in ipairs({ 'starts:', 'unsorted:', 'pace:' }) do
  if call('EXISTS', P .. ':parked:' .. bar .. key) == 1 then call('ZADD', P .. ':due', NOW, 'G' .. bar .. key) end
end
return { note(0, ARGV[5], 'set', ARGV[6], { note = ARGV[7] }) }
