"""Reading the ledger: what became of a document, and how the whole installation stands."""
