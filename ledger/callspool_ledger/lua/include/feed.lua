-- The feed: what became of documents and calls, for services that follow them. P:events has an entry
-- for all that one step tells of one batch, so that a step costs little; reads/feed.py makes an event
-- of each document. Fields of an entry, those that are empty left out:
--   t a c   what it tells, account, campaign
--   w       why
--   r k     run: one for all, or a line each; packed task ids (reads/entries.py)
--   o       letters of the calls' outcomes
--   n       how often what was told of the batch was taken back (P:b<B> `distrusted`)
--   i       document ids as in their JSON, without the quotes, a line each
-- P:meta `feed` tells what is written: `calls`; `settled` where nothing follows calls; nothing
-- otherwise. P:b<B> `ids` and `campaign` are kept while its calls are followed, or may yet turn out to
-- have been created: its documents and its lane have gone by then.
-- Needs: lanes batches
local feed_kind

local function is_fed(kind)
  feed_kind = feed_kind or call('HGET', P .. ':meta', 'feed') or 'off'
  return feed_kind == 'calls' or (feed_kind == 'settled' and kind ~= 'calls')
end

-- The id in a raw document, as it stands there. Letters of the field's name may be escapes.
local function id_in(document)
  local _, last, id = string.find(document, '"document_id":"([^"\\]*)"')
  local is_plain = last and not string.find(document, '\\u00[567]')
  local first = is_plain and string.find(document, '"document_id"', 1, true)
  if first and not string.find(document, '"document_id"', first + 1, true) then return id end
  return string.sub(cjson.encode(tostring(cjson.decode(document).document_id or '')), 2, -2)
end

local function lines_of(text)
  local lines = {}
  for line in string.gmatch(text .. '\n', '([^\n]*)\n') do lines[#lines + 1] = line end
  return lines
end

-- The ids of all places of a batch, a table; empty where nothing is kept of them any more.
local function ids_of(batch)
  local kept = call('HGET', batch_key(batch.id), 'ids')
  if kept then return lines_of(kept) end
  local ids = {}
  for place, document in ipairs(documents_of(batch.id)) do ids[place] = id_in(document) end
  return ids
end

-- One run for all, if it is one.
local function join_runs(runs)
  for _, run in ipairs(runs) do
    if run ~= runs[1] then return table.concat(runs, '\n') end
  end
  return runs[1]
end

-- Ids that were packed one by one, packed together: 16 bytes each, or a line each.
local function join_tasks(tasks)
  local bytes, lines, is_usual = {}, {}, true
  for i, task in ipairs(tasks) do
    bytes[i] = string.sub(task, 2)
    lines[i] = bytes[i]
    if string.sub(task, 1, 1) == '\1' then
      lines[i] = 'T' .. string.gsub(bytes[i], '.', function(byte) return string.format('%02x', string.byte(byte)) end)
    else
      is_usual = false
    end
  end
  return is_usual and '\1' .. table.concat(bytes) or '\0' .. table.concat(lines, '\n')
end

local function write_event(what, account, campaign, ids, more)
  local entry = { 't', what, 'a', account }
  if campaign and campaign ~= '' then entry[5], entry[6] = 'c', campaign end
  for _, name in ipairs({ 'w', 'r', 'k', 'o', 'n' }) do
    local value = more and more[name]
    if value and value ~= '' then entry[#entry + 1], entry[#entry + 2] = name, value end
  end
  entry[#entry + 1], entry[#entry + 2] = 'i', ids
  call('XADD', P .. ':events', '*', unpack(entry))
end

local function tell_ids(batch, what, ids, more)
  local campaign = lane_of(batch)[3]
    or call('HGET', batch_key(batch.id), 'campaign')
  write_event(what, batch.account, campaign, ids, more)
end

-- Tells of the documents at some places. To be called while the batch's documents and its lane are
-- still known, that is before `close_if_settled`.
local function tell(batch, what, places, more)
  if #places == 0 or not is_fed() then return end
  local ids, lines = ids_of(batch), {}
  for i, place in ipairs(places) do lines[i] = ids[place] or '' end
  tell_ids(batch, what, table.concat(lines, '\n'), more)
end

-- Tells of documents that are settled as they are accepted.
local function tell_group(group, what, documents, why)
  if #documents == 0 or not is_fed() then return end
  local ids = {}
  for i, document in ipairs(documents) do ids[i] = id_in(document) end
  write_event(what, group.account, group.campaign, table.concat(ids, '\n'), { w = why })
end

-- The places that have a letter now and had another one before.
local function turned(batch, before, letter)
  local places = {}
  for place = 1, batch.n do
    if string.sub(batch.s, place, place) == letter and string.sub(before, place, place) ~= letter then
      places[#places + 1] = place
    end
  end
  return places
end

-- Keeps the ids of a batch; `given` are those of all its places, if known.
local function keep_ids(batch, given)
  if call('HEXISTS', batch_key(batch.id), 'ids') == 1 then return end
  local ids = given or table.concat(ids_of(batch), '\n')
  if ids == '' then return end
  call('HSET', batch_key(batch.id), 'ids', ids)
  local campaign = lane_of(batch)[3]
  if campaign and campaign ~= '' then call('HSET', batch_key(batch.id), 'campaign', campaign) end
end

-- What was sent before it was dropped, cancelled or expired may yet be proven to be created.
keep_ids_of_closed = function(batch)
  local was_sent = batch.attempt ~= 0 or call('HEXISTS', batch_key(batch.id), 'from') == 1
  if was_sent and string.find(batch.s, '[XkKe]') and is_fed() then keep_ids(batch) end
end
