-- Which of these numbers are on a list that holds for a campaign of an account.
-- Needs: suppressed
-- Returns {place of a digest, number of its source, ...} and {number of a source, the source as JSON,
-- ...}; places are counted from 0.
local function screen(account, campaign, digests)
  local account_list, applied = 'account:' .. account, nil

  -- Is the campaign held to a named list?
  local function applies(list)
    if list == 'global' or list == account_list then return true end
    if string.find(list, ':', 1, true) then return false end
    if not applied then
      applied = {}
      local named = call('HGET', P .. ':applied', account .. '\31' .. campaign)
      for _, name in ipairs(named and cjson.decode(named) or {}) do applied[name] = true end
    end
    return applied[list]
  end

  local found, sources, told = {}, {}, {}

  -- The first source of an entry that holds here.
  local function find_source(place, entry)
    for number in string.gmatch(entry, '%d+') do
      local source = source_of(number)
      if not is_over(source) and applies(source.list) then
        found[#found + 1], found[#found + 2] = place, number
        if not told[number] then
          told[number] = true
          sources[#sources + 1] = number
          sources[#sources + 1] = call('HGET', P .. ':sources', number)
        end
        return
      end
    end
  end

  -- The commonest step: it makes no string that it does not need.
  local buckets = P .. ':n:'
  for at = 1, #digests, ENTRY_BYTES do
    local entry = call('HGET', buckets .. sub(digests, at, at + 1), sub(digests, at + 2, at + ENTRY_BYTES - 1))
    if entry then find_source((at - 1) / ENTRY_BYTES, entry) end
  end
  return found, sources
end
