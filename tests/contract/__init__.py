"""One suite for every store of rankings: memory, Redis and PostgreSQL give the same answers."""
