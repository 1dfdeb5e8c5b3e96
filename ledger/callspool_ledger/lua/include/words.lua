-- An operator's word that documents in doubt were created, where no answer and no look could say it.
-- P:b<B> `said` holds a line for each time: JSON [attempt, places (a mask), run id, task id, when, by].
-- It stands until a proof comes, and a proof of the same attempt is no second creation.
-- Needs: batches
local function say(batch, places, run, task, by)
  local line = cjson.encode({ batch.attempt, places, run, task, NOW, by })
  local known = call('HGET', batch_key(batch.id), 'said')
  call('HSET', batch_key(batch.id), 'said', known and (known .. '\n' .. line) or line)
end

-- The places, as keys of a table, that an operator's word says this attempt created, or this run.
local function said_of(batch, attempt, run)
  local places = {}
  for line in string.gmatch(call('HGET', batch_key(batch.id), 'said') or '', '[^\n]+') do
    local word = cjson.decode(line)
    if word[1] == tonumber(attempt) or (run ~= '' and word[3] == run) then
      for place = 1, batch.n do
        if string.sub(word[2], place, place) == '1' then places[place] = true end
      end
    end
  end
  return places
end
