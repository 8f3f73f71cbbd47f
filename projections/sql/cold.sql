-- Queries of the cold archive.

-- name: partitions
SELECT c.relname::text AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'log'::regclass ORDER BY c.relname

-- name: entries
SELECT g.name AS game, l.game_id, l.epoch, l.shard, l.ms, l.seq, l.verdict, l.subject, l.body
FROM log l LEFT JOIN games g USING (game_id)
WHERE l.ms >= $1 AND l.ms < $2
ORDER BY l.game_id, l.epoch, l.shard, l.ms, l.seq

-- name: any
SELECT EXISTS (SELECT FROM log WHERE ms >= $1 AND ms < $2)

-- name: stretches
SELECT name, from_ms, to_ms, games, entries, sha256, exported_at, dropped_at FROM cold ORDER BY from_ms

-- name: exported
INSERT INTO cold (name, from_ms, to_ms, games, entries, sha256) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (name) DO UPDATE SET games = excluded.games, entries = excluded.entries, sha256 = excluded.sha256,
    exported_at = now(), dropped_at = NULL

-- name: building
SELECT count(*) FROM generations WHERE status = 'building'

-- name: patient
-- Dropping waits for those who read the archive, and nobody shall wait behind it for long.
SET LOCAL lock_timeout = '10s'

-- name: as_patient_as_ever
SET LOCAL lock_timeout TO DEFAULT

-- name: hold
LOCK TABLE cold IN SHARE ROW EXCLUSIVE MODE

-- name: subjects
INSERT INTO cold_subjects (game_id, subject, name)
SELECT DISTINCT game_id, subject, $1 FROM log WHERE ms >= $2 AND ms < $3 AND subject IS NOT NULL AND verdict = 0

-- name: dropped
UPDATE cold SET dropped_at = now() WHERE name = $1

-- name: restored
WITH named AS (DELETE FROM cold_subjects WHERE name = $1)
UPDATE cold SET dropped_at = NULL WHERE name = $1

-- name: away
-- Stretches with entries of a game in ($2, $3] that are not in the database.
SELECT name FROM cold WHERE dropped_at IS NOT NULL AND $1 = ANY (games) AND to_ms > $2 AND from_ms <= $3 ORDER BY from_ms

-- name: away_at_all
SELECT name FROM cold WHERE dropped_at IS NOT NULL AND games && $1::integer[] ORDER BY from_ms

-- name: away_by_id
SELECT DISTINCT c.name FROM event_ids e JOIN cold c ON c.dropped_at IS NOT NULL AND e.ms >= c.from_ms AND e.ms < c.to_ms
WHERE e.game_id = $1 AND e.id_hash = ANY ($2::bytea[]) ORDER BY c.name

-- name: away_about
SELECT DISTINCT name FROM cold_subjects WHERE game_id = $1 AND subject = ANY ($2::integer[]) ORDER BY name

-- name: games
-- A game, or the parts of one that is spread.
SELECT game_id FROM games WHERE name = $1
