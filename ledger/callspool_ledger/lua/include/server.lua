-- Needs: base, or suppressed
-- The process that runs this script, and the history of data that it has. A replica that was promoted
-- has another history than its primary, and so has a server that took over another one's data.
-- A server that became a replica for a moment and is a primary again goes on with its own history under
-- a new name: the third value is the name that this history had before.
local function this_server()
  local info = call('INFO', 'server', 'replication')
  local function field(name) return string.match(info, name .. ':(%x+)') or '' end
  return field('run_id'), field('master_replid'), field('master_replid2'), info
end
