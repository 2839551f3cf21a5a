"""Files: cache, hub, packages and archives; each fetched once and checked."""
