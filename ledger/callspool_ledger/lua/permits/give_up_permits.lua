#!lua flags=allow-oom
-- give_up_permits: frees what a process held of an account when it ended.
-- KEYS[1] prefix of the account
-- ARGV[1] holder
-- Reply: 1 if it held something.
-- include: base
return call('HDEL', P .. ':holders', ARGV[1])
