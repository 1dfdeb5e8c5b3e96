"""How messages get into Redis: round trips, connections, and what the answers mean."""
