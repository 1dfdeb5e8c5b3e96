#!lua flags=allow-oom
-- share_pace: keeps over how many partitions the pace of campaigns is shared.
-- KEYS[1] prefix
-- ARGV, for each: campaign as P:campaigns names it   partitions that hold lanes of it
-- Reply: how many campaigns
-- include: base
for i = 1, #ARGV, 2 do call('HSET', P .. ':paced', ARGV[i] .. '\31parts', ARGV[i + 1]) end
return #ARGV / 2
