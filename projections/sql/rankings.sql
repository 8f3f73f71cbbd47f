-- Queries about whole rankings: what many show, and one from top to bottom.

-- name: versions
SELECT ranking_id, version FROM rankings WHERE ranking_id = ANY ($1::integer[])

-- name: state
SELECT r.version, s.epoch, s.ms, s.seq, s.profiles, (
        SELECT min(f.from_version) FROM freezes f JOIN games g USING (game_id)
        WHERE g.live_generation = r.generation_id AND f.to_version IS NULL
            AND f.board IN ('', r.board) AND f.period IN ('', r.period)
    ) AS frozen_at
FROM rankings r, shards s WHERE r.ranking_id = $1 AND s.shard = $2

-- name: total
SELECT count(*) FROM standings WHERE ranking_id = $1 AND prefix IS NOT NULL

-- name: entries
SELECT s.prefix, s.player, s.extra, count(*) OVER (PARTITION BY s.prefix) AS tied, p.name
FROM standings s LEFT JOIN players p ON p.generation_id = $2 AND p.player = s.player
WHERE s.ranking_id = $1 AND s.prefix IS NOT NULL
ORDER BY s.prefix, s.player

-- name: found_by_id
-- No text that starts with another one comes behind that followed by the last character there is.
SELECT player FROM standings
WHERE ranking_id = $1 AND player >= $2 AND player < ($2 || chr(1114111)) AND prefix IS NOT NULL
ORDER BY player LIMIT $3

-- name: found_by_name
-- However many others have such a name, only so many of them are looked for in the ranking.
SELECT p.player, p.name FROM (
    SELECT player, lower(name) AS name FROM players
    WHERE generation_id = $2 AND name IS NOT NULL
        AND lower(name) ~>=~ lower($3) AND lower(name) ~<~ (lower($3) || chr(1114111))
    ORDER BY lower(name) USING ~<~ LIMIT $5
) p
WHERE EXISTS (SELECT FROM standings s WHERE s.ranking_id = $1 AND s.player = p.player AND s.prefix IS NOT NULL)
ORDER BY p.name USING ~<~ LIMIT $4
