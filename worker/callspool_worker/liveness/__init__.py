"""What a worker process knows of itself: heartbeat and statistics."""
