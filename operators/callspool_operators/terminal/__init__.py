"""How commands speak: words, colours, times, progress, exit codes."""
