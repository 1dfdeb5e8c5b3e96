#!lua flags=allow-oom
-- resend_unproven: documents in doubt of one space that a selector means wait again without proof,
-- since an operator accepts that persons may be called twice; a bounded piece a call.
-- KEYS[1] prefix
-- ARGV[1] space, as in P:proofs   ARGV[2] cursor, 0 at first   ARGV[3] batches to look at, about
-- ARGV[4] ms: what came into doubt later is left alone   ARGV[5] 1: only what no look can prove
-- ARGV[6] number of the journal's entry, or 0   ARGV[7] who asks   ARGV[8] the selector as JSON
-- ARGV[9] wake-ups at most
-- Reply: {next cursor, 0 at the end; documents; number of the journal's entry, or 0}
-- include: base generations lanes batches parts doubts selected doubtful resending journal
local number, resent, ready = tonumber(ARGV[6]), 0, 0
local cursor = each_doubtful(ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), cjson.decode(ARGV[8]),
  ARGV[5] == '1', function(batch)
    local n, batches = send_again(batch, function() return true end, ARGV[7])
    resent, ready = resent + n, ready + batches
  end)
wake(ready, tonumber(ARGV[9]))
if resent > 0 then
  number = note(number, ARGV[7], 'doubts resend', ARGV[8], { documents = resent })
end
return { cursor, resent, number }
