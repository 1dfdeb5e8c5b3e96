"""Commands that need the worker; the command line loads them by name."""
