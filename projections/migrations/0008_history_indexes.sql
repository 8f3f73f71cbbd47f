-- concurrently
-- What was displayed in a version, and what is older than history is kept: rows are appended in the order of to_version.
CREATE INDEX CONCURRENTLY IF NOT EXISTS standings_history_version ON standings_history (ranking_id, to_version);
CREATE INDEX CONCURRENTLY IF NOT EXISTS publications_position ON publications (shard, epoch, ms, seq, version);
