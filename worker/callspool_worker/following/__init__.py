"""Following: what became of created calls is looked up at the API, gently, until they ended."""
