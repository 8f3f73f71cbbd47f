-- Queries about whole rankings: what many show, and one from top to bottom.

-- name: versions
SELECT ranking_id, version FROM rankings WHERE ranking_id = ANY ($1::integer[])

-- name: state
SELECT r.version, s.epoch, s.ms, s.seq, s.profiles FROM rankings r, shards s WHERE r.ranking_id = $1 AND s.shard = $2

-- name: total
SELECT count(*) FROM standings WHERE ranking_id = $1 AND prefix IS NOT NULL

-- name: entries
SELECT s.prefix, s.player, s.extra, count(*) OVER (PARTITION BY s.prefix) AS tied, p.name
FROM standings s LEFT JOIN players p ON p.generation_id = $2 AND p.player = s.player
WHERE s.ranking_id = $1 AND s.prefix IS NOT NULL
ORDER BY s.prefix, s.player
