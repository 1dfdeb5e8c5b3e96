-- Quiet is observed: what looks find counts from the first of them that was answered, for as long as
-- nothing changes and somebody looks. P:gaps tells when a space could last not be read.

-- Whether nobody knows what was between the last look and one that began at `began`: one that failed
-- came between, or much more time than between looks usually.
local function is_gap(space, last, began, allowed)
  if not last.looked then return true end
  if tonumber(call('HGET', P .. ':gaps', space) or '0') >= last.looked then return true end
  return began - last.looked > math.max(allowed, 2 * (last.span or 0)) or began < last.looked - allowed
end

-- What is known after a look: `seen`, since when (`changed`), and the time since the last one.
local function look_again(space, last, found, began, allowed)
  local changed = last.changed
  if last.seen ~= found or is_gap(space, last, began, allowed) then changed = NOW end
  local span = last.looked and math.max(0, began - last.looked) or 0
  return { seen = found, changed = changed or NOW, span = span }
end
