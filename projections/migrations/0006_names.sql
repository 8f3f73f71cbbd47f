-- concurrently
-- Players by the beginning of their names, whatever the case.
CREATE INDEX CONCURRENTLY IF NOT EXISTS players_name ON players (generation_id, lower(name) text_pattern_ops)
    WHERE name IS NOT NULL;
