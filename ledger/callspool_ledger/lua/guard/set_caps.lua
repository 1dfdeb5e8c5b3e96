#!lua
-- set_caps: how often a number may be called at most, for the installation, an account or a campaign. It
-- is in force when the next batch is asked about.
-- KEYS[1] prefix of the guard
-- ARGV[1] whom it is for: '', an account, or account and campaign with U+001F between
-- ARGV[2] JSON array of [calls, ms]; [] for no cap   ARGV[3] names that may have caps, at most
-- Reply: 1; 0 where there are too many names
-- include: suppressed server called
local name, caps = ARGV[1], cjson.decode(ARGV[2])
local written = call('HGET', P .. ':caps', name)
if #caps == 0 then
  call('HDEL', P .. ':caps', name)
else
  local n = 0
  if written then
    n = cjson.decode(written).n
  elseif name ~= '' then
    n = tonumber(call('HGET', P .. ':scopes', '=' .. name) or '0')
    if n == 0 then
      n = call('HINCRBY', P .. ':meta', 'scope', 1)
      if n > tonumber(ARGV[3]) then return 0 end
      call('HSET', P .. ':scopes', n, name, '=' .. name, n)
    end
  end
  call('HSET', P .. ':caps', name, cjson.encode({ n = n, caps = caps }))
end
local longest = note_longest()
if longest > 0 then see_server(longest) end
return 1
