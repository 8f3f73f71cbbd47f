-- What was displayed long ago is forgotten, in bounded steps.

-- name: raise_floor
-- The oldest version that is kept: the one that was displayed so many seconds ago. One of the present epoch: earlier versions
-- may be those of other shards, from which games have come.
UPDATE shards s SET kept_from = f.version
FROM (
    SELECT version FROM publications WHERE shard = $1 AND committed_at <= now() - $2 * interval '1 second'
    ORDER BY committed_at DESC, version DESC LIMIT 1
) f
WHERE s.shard = $1 AND s.kept_from < f.version
    AND EXISTS (SELECT FROM publications p WHERE p.shard = s.shard AND p.version = f.version AND p.epoch = s.epoch)

-- name: floor
SELECT kept_from FROM shards WHERE shard = $1

-- name: forget_history
-- But for what a frozen or closed board is shown by, or was in a version that is kept.
DELETE FROM standings_history WHERE ctid = ANY (ARRAY(
    SELECT old.row FROM games g
    JOIN generations n USING (game_id)
    JOIN rankings r USING (generation_id)
    CROSS JOIN LATERAL (
        SELECT h.ctid AS row FROM standings_history h
        WHERE h.ranking_id = r.ranking_id AND h.to_version <= $2 AND NOT EXISTS (
            SELECT FROM freezes f
            WHERE f.game_id = g.game_id AND f.board IN ('', r.board) AND f.period IN ('', r.period)
                AND (f.to_version IS NULL OR f.to_version > $2)
                AND h.from_version <= f.from_version AND h.to_version > f.from_version
        )
        LIMIT $3
    ) old
    WHERE g.shard = $1 LIMIT $3
))

-- name: forget_publications
DELETE FROM publications WHERE ctid = ANY (ARRAY(
    SELECT p.ctid FROM publications p
    WHERE p.shard = $1 AND p.version < $2 AND NOT EXISTS (
        SELECT FROM freezes f
        WHERE f.shard = p.shard AND f.from_version = p.version AND (f.to_version IS NULL OR f.to_version > $2)
    )
    LIMIT $3
))

-- name: closed
-- Rankings that were closed so many seconds ago, or up to a day longer.
SELECT r.ranking_id FROM freezes f
JOIN games g USING (game_id)
JOIN publications p ON p.shard = f.shard AND p.version = f.from_version
JOIN rankings r ON r.generation_id = g.live_generation AND f.board IN ('', r.board) AND f.period IN ('', r.period)
WHERE g.shard = $1 AND f.final AND f.to_version IS NULL
    AND p.committed_at BETWEEN now() - ($2 + 86400) * interval '1 second' AND now() - $2 * interval '1 second'
