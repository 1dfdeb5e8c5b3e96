"""Calling hours as workers keep them: when classes of zones are open, and who is in which."""
