"""From a wake-up to a recorded answer: take, POST, record."""
