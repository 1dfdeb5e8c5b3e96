"""Everything that touches redis-py: servers, scripts, and its private parts."""
