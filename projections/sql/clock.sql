-- Queries about the clocks of games, and about places that change as time passes.

-- name: due_rows
-- The rows of a generation whose places change by `clock`, from one index probe for each of its rankings.
SELECT r.board, r.period, r.segment, s.*
FROM rankings r
JOIN dues d ON d.ranking_id = r.ranking_id AND d.due <= $2
JOIN standings s ON s.ranking_id = d.ranking_id AND s.player = d.player
WHERE r.generation_id = $1

-- name: due_games
-- The games of a shard that have a row whose place should have changed by `now`.
SELECT DISTINCT g.name
FROM games g JOIN generations n ON n.game_id = g.game_id AND n.status IN ('live', 'shadow')
WHERE g.shard = $1 AND n.clock_ms IS NOT NULL AND EXISTS (
    SELECT FROM rankings r JOIN dues d ON d.ranking_id = r.ranking_id AND d.due <= $2
    WHERE r.generation_id = n.generation_id
)
ORDER BY g.name

-- name: set_dues
WITH changed AS (
    SELECT * FROM unnest($1::integer[], $2::text[], $3::bigint[]) AS c (ranking_id, player, due)
), gone AS (
    DELETE FROM dues d USING changed c WHERE d.ranking_id = c.ranking_id AND d.player = c.player AND c.due IS NULL
)
INSERT INTO dues AS d (ranking_id, player, due)
SELECT ranking_id, player, due FROM changed WHERE due IS NOT NULL
ON CONFLICT (ranking_id, player) DO UPDATE SET due = excluded.due WHERE d.due <> excluded.due

-- name: set_clocks
UPDATE generations g SET clock_ms = c.clock_ms
FROM unnest($1::integer[], $2::bigint[]) AS c (generation_id, clock_ms)
WHERE g.generation_id = c.generation_id

-- name: drop_dues
DELETE FROM dues d USING rankings r WHERE r.ranking_id = d.ranking_id AND r.generation_id = $1
