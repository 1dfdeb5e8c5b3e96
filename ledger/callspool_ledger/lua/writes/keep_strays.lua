#!lua flags=allow-oom
-- keep_strays: documents that the API has and the ledger does not know, from writes that Redis lost:
-- when they are accepted again, they are not sent again.
-- KEYS[1] prefix
-- ARGV[1] space   ARGV[2] ms to keep them
-- ARGV[3...] for each: scope tag and document id, joined by '|'; run, task and attempt, joined by \31.
--   The tag is `?` where no mark tells whose the document is: it is held when it is taken.
-- Reply: how many are kept.
-- include: base
local key = P .. ':strays:' .. ARGV[1]
for i = 3, #ARGV, 2 do call('HSET', key, ARGV[i], ARGV[i + 1]) end
call('PEXPIRE', key, ARGV[2])
return call('HLEN', key)
