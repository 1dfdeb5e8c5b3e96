"""How messages reach Redis: connections, partitions, group commit, receipts."""
