"""The ledger: the record of every document in Redis. The only room that knows Redis' data."""
