-- The journal: what operators did. P:journal maps a running number to JSON {at, by, command,
-- selector, documents, messages, opened, numbers, note}; the last ones are kept.
local JOURNAL_KEPT = 1000

-- Adds to an entry, or begins one (`number` 0) if there is something to tell. `what` maps
-- `documents`, `messages` and `opened` to how many more they are, `note` to a text. Returns the entry's number.
local function note(number, by, command, selector, what)
  local entry
  if number == 0 then
    number = call('HINCRBY', P .. ':meta', 'journal', 1)
    call('HDEL', P .. ':journal', number - JOURNAL_KEPT)
    entry = { at = NOW, by = by, command = command, selector = cjson.decode(selector) }
  else
    local known = call('HGET', P .. ':journal', number)
    if not known then return number end
    entry = cjson.decode(known)
  end
  for word, more in pairs(what) do
    if word == 'note' then
      entry.note = more ~= '' and more or nil
    elseif more > 0 then
      entry[word] = (entry[word] or 0) + more
    end
  end
  call('HSET', P .. ':journal', number, cjson.encode(entry))
  return number
end
