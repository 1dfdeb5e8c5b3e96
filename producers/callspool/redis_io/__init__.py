"""Everything that touches redis-py, and the small client that does without it."""
