"""What commands share: options, selectors, and connections to the ledger."""
