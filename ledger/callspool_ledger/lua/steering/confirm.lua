#!lua flags=allow-oom
-- confirm: documents in doubt of one space that a selector means count as created, since an operator
-- knows that they were; a bounded piece a call.
-- KEYS[1] prefix
-- ARGV[1] space, as in P:proofs   ARGV[2] cursor, 0 at first   ARGV[3] batches to look at, about
-- ARGV[4] ms: what came into doubt later is left alone   ARGV[5] 1: only what no look can prove
-- ARGV[6] number of the journal's entry, or 0   ARGV[7] who asks   ARGV[8] the selector as JSON
-- ARGV[9] run id, or ''
-- Reply: {next cursor, 0 at the end; documents; number of the journal's entry, or 0}
-- include: base generations lanes batches feed calls outcomes doubts words named proofs selected doubtful confirming journal
local number, confirmed = tonumber(ARGV[6]), 0
local cursor = each_doubtful(ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), cjson.decode(ARGV[8]),
  ARGV[5] == '1', function(batch)
    confirmed = confirmed + confirm(batch, function() return true end, ARGV[9], '', ARGV[7])
  end)
if confirmed > 0 then
  number = note(number, ARGV[7], 'doubts confirm', ARGV[8], { documents = confirmed })
end
return { cursor, confirmed, number }
