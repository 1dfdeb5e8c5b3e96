"""What `run` and `send` share: reading lists, asking before sending, enqueueing."""
