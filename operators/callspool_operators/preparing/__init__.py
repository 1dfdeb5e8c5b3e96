"""What `send` and `run` do before contacts are sent: read, show, ask, and put into the queue."""
