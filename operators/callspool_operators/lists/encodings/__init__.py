"""Which encoding a text is in, judged by the letters of its names, and its way to UTF-8."""
