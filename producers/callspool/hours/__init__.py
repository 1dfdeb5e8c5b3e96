"""Calling hours: in which zones a number may be, what a campaign allows, and when that is open."""
