"""Permits: how many requests an account may have in flight, over all workers."""
