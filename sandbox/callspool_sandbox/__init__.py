"""A local stand-in for the Unpod API, with faults on request."""
