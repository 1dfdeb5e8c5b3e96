"""What is asked for: documents, call requests, identities, numbers, and their checks."""
