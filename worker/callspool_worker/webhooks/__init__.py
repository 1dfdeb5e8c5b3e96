"""Delivery of the feed's events to the endpoints of the settings."""
