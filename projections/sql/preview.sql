-- Queries of previews: what rankings hold now.

-- name: totals
SELECT ranking_id, count(*) AS total FROM standings WHERE ranking_id = ANY ($1::integer[]) AND prefix IS NOT NULL
GROUP BY ranking_id

-- name: parts
-- The live generation of each part of a game, and how far its shard is.
SELECT g.game_id, g.shard, g.part, g.parts, g.live_generation, r.text, s.epoch, s.ms, s.seq
FROM games g
JOIN generations n ON n.generation_id = g.live_generation
JOIN rulesets r ON r.game_id = g.game_id AND r.version = n.ruleset_version
JOIN shards s ON s.shard = g.shard
WHERE g.name = $1
ORDER BY g.part

-- name: shown
SELECT prefix, player, extra FROM standings WHERE ranking_id = $1 AND prefix IS NOT NULL

-- name: rankings
SELECT ranking_id, board, period, segment FROM rankings WHERE generation_id = $1

-- name: names
SELECT player, name FROM players WHERE generation_id = ANY ($1::integer[]) AND player = ANY ($2::text[]) AND name IS NOT NULL
