"""`callspool serve`: documents come in over HTTP, with keys. It knows Redis, and never the API."""
