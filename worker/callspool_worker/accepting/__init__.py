"""From a message to documents in the ledger."""
