"""What an answer of the API means: pure functions, no clock, no Redis, no HTTP."""
