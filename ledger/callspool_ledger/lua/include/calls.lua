-- Calls: what became of created documents, the second axis beside their states. P:b<B> fields:
--   y     a letter a place: o open, r reached, n not_reached, f failed, e ended, l lost_sight; `-`
--         where nothing is created, or an earlier release created it: then it is lost sight of
--   yd    15 bytes a place of a call that ended: words (2), rings (1), started, ended (s), seconds
--   yw    the words of the batch's calls, a line each: statuses and reasons by their number
--   yz    campaign and class of zones, by U+001F between, where the campaign had hours
--   yt    what the follower remembers of the batch (JSON), as long as it is looked at again
--   yr    how often the call log shows that each number rang, a byte a place, while it is followed
--   yl yf places whose rings are over since the last look (1), and since when the first of them is
-- P:counts has `open`, `reached`, `not_reached`, `failed` and `ended`; lost_sight is what is left of
-- `created`, so that the sum holds in ledgers that began before there were outcomes.
-- Needs: lanes batches feed
local OUTCOME = { o = 'open', r = 'reached', n = 'not_reached', f = 'failed', e = 'ended' }
local NEXT_PASS_MS = 60000 -- unless a follower said otherwise

-- Documents that were created now, and were not in the states `before`, have open calls, which are
-- followed; without a run, or where the space is not known any more, they are lost sight of.
-- To be called while the batch's lane is still known, that is before `close_if_settled`. `ids`: those of
-- all places, if they are known. Tells whether they are lost sight of.
local function begin_calls(batch, before, is_lost, ids)
  local of_lane = lane_of(batch)
  local space = of_lane[1]
  local letter = (is_lost or not space) and 'l' or 'o'
  local known, n, letters = batch.y, batch.n, nil
  local is_first = not known
  if not known and not string.find(before, 'c', 1, true) and not string.find(batch.s, '[^c]') then
    letters = string.rep(letter, n)
  else
    n, letters, known = 0, {}, known or string.rep('-', batch.n)
    for place = 1, batch.n do
      local is_new = string.sub(batch.s, place, place) == 'c' and string.sub(before, place, place) ~= 'c'
      letters[place] = is_new and letter or string.sub(known, place, place)
      if is_new then n = n + 1 end
    end
    letters = table.concat(letters)
  end
  if n == 0 then return false end
  batch.y = letters
  put(batch, 'y', letters)
  if (of_lane[2] or '') ~= '' then put(batch, 'yz', of_lane[3] .. '\31' .. of_lane[2]) end
  if letter == 'l' then return true end
  if is_fed('calls') then keep_ids(batch, ids) end
  count(batch.account, 'open', n)
  local key = batch.account .. '|' .. space
  call('ZADD', P .. ':opened:' .. key, 'NX', NOW, batch.id)
  call('ZADD', P .. ':calls:' .. key, 'NX', NOW, batch.id)
  if not is_first then call('ZREM', P .. ':later:' .. key, batch.id) end
  local pause = call('HGET', P .. ':meta', 'follow') or NEXT_PASS_MS
  call('ZADD', P .. ':follows', 'LT', NOW + pause, key)
end
