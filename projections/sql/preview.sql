-- Queries of previews: what rankings hold now.

-- name: totals
SELECT ranking_id, count(*) AS total FROM standings WHERE ranking_id = ANY ($1::integer[]) AND prefix IS NOT NULL
GROUP BY ranking_id

-- name: shown
SELECT prefix, player, extra FROM standings WHERE ranking_id = $1 AND prefix IS NOT NULL

-- name: rankings
SELECT ranking_id, board, period, segment FROM rankings WHERE generation_id = $1

-- name: names
SELECT player, name FROM players WHERE generation_id = $1 AND player = ANY ($2::text[]) AND name IS NOT NULL
