-- Rankings as they were displayed in a version, out of the history, and which version that was.

-- name: by_time
-- The last publication up to and with a time. A game has had few homes; the latest one that has such a publication tells.
SELECT $2::timestamptz > clock_timestamp() AS future, greatest(g.kept_from, s.kept_from) AS kept_from, p.*
FROM games g JOIN shards s ON s.shard = g.shard
LEFT JOIN LATERAL (
    SELECT found.* FROM homes h CROSS JOIN LATERAL (
        SELECT version, epoch, shard, ms, seq, committed_at FROM publications
        WHERE shard = h.shard AND version >= h.from_version AND (h.to_version IS NULL OR version < h.to_version)
            AND committed_at <= $2
        ORDER BY committed_at DESC, version DESC LIMIT 1
    ) found
    WHERE h.game_id = g.game_id ORDER BY h.from_version DESC LIMIT 1
) p ON true
WHERE g.game_id = $1

-- name: by_position
-- The same up to and with a position.
SELECT (s.epoch, s.ms, s.seq) < ($2::integer, $3::bigint, $4::bigint) AS future, greatest(g.kept_from, s.kept_from) AS kept_from, p.*
FROM games g JOIN shards s ON s.shard = g.shard
LEFT JOIN LATERAL (
    SELECT found.* FROM homes h CROSS JOIN LATERAL (
        SELECT version, epoch, shard, ms, seq, committed_at FROM publications
        WHERE shard = h.shard AND version >= h.from_version AND (h.to_version IS NULL OR version < h.to_version)
            AND (epoch, ms, seq) <= ($2, $3, $4)
        ORDER BY epoch DESC, ms DESC, seq DESC, version DESC LIMIT 1
    ) found
    WHERE h.game_id = g.game_id ORDER BY h.from_version DESC LIMIT 1
) p ON true
WHERE g.game_id = $1

-- name: span
-- Which generation was live in a version. None: the game did not exist; one without an id: its rows are gone.
SELECT s.generation_id, n.ruleset_version FROM live_spans s LEFT JOIN generations n USING (generation_id)
WHERE s.game_id = $1 AND s.from_version <= $2 AND (s.to_version IS NULL OR s.to_version > $2)

-- name: generation
SELECT g.game_id, g.name, g.shard, g.part, g.parts, n.generation_id AS live_generation, n.ruleset_version
FROM generations n JOIN games g USING (game_id) WHERE n.generation_id = $1

-- name: history
-- What was displayed of a player in a board, through all generations that were live, up to a version; the newest first.
SELECT s.generation_id, coalesce(h.prefix, h.hidden) AS prefix, h.extra, h.hidden IS NOT NULL AS hidden,
    f.committed_at AS from_at, t.committed_at AS to_at, f.epoch, f.shard, f.ms, f.seq, c.from_version, c.to_version
FROM live_spans s
JOIN games g ON g.game_id = s.game_id
JOIN shards k ON k.shard = g.shard
JOIN rankings r ON r.generation_id = s.generation_id AND r.board = $2 AND r.period = $3 AND r.segment = $4
CROSS JOIN LATERAL (SELECT stored_as(s.generation_id, $5) COLLATE "C" AS player) who
CROSS JOIN LATERAL (
    SELECT prefix, extra, hidden, since AS from_version, NULL::bigint AS to_version
    FROM standings WHERE ranking_id = r.ranking_id AND player = who.player
    UNION ALL
    SELECT prefix, extra, hidden, from_version, to_version
    FROM standings_history WHERE ranking_id = r.ranking_id AND player = who.player
) h
CROSS JOIN LATERAL (
    SELECT greatest(h.from_version, s.from_version, least(greatest(g.kept_from, k.kept_from), $6)) AS from_version,
        CASE WHEN least(h.to_version, s.to_version) <= $6 THEN least(h.to_version, s.to_version) END AS to_version
) c
JOIN game_publications f ON f.game_id = s.game_id AND f.version = c.from_version
LEFT JOIN game_publications t ON t.game_id = s.game_id AND t.version = c.to_version
WHERE s.game_id = $1 AND c.from_version <= $6 AND c.from_version < coalesce(c.to_version, $6 + 1)
ORDER BY c.from_version DESC LIMIT $7

-- name: total
SELECT count(*) FROM standings_at($1, $2) WHERE prefix IS NOT NULL

-- name: place
-- As in reader.sql, but for the version, which comes last in all of these.
WITH board AS (SELECT player COLLATE "C" AS player, prefix, extra, hidden FROM standings_at($1, $3))
SELECT s.prefix, s.extra, s.hidden,
    count(o.prefix) FILTER (WHERE (o.prefix, o.player) < (s.prefix, s.player)) AS ordinal,
    count(o.prefix) FILTER (WHERE o.prefix < s.prefix) AS ahead,
    count(o.prefix) FILTER (WHERE o.prefix = s.prefix) AS tied,
    count(DISTINCT o.prefix) FILTER (WHERE o.prefix < s.prefix) AS dense
FROM (
    SELECT player, coalesce(prefix, hidden) AS prefix, extra, prefix IS NULL AS hidden
    FROM board WHERE player = $2 AND coalesce(prefix, hidden) IS NOT NULL
) s LEFT JOIN board o ON o.prefix <= s.prefix
GROUP BY s.prefix, s.player, s.extra, s.hidden

-- name: lines
SELECT prefix, player, extra FROM standings_at($1, $4)
WHERE prefix IS NOT NULL
ORDER BY prefix, player COLLATE "C" OFFSET $2 LIMIT $3

-- name: counts
SELECT count(*) FILTER (WHERE prefix < $2) AS ahead,
    count(DISTINCT prefix) FILTER (WHERE prefix < $2) AS dense,
    count(*) FILTER (WHERE prefix <= $3) AS through
FROM standings_at($1, $4) WHERE prefix IS NOT NULL

-- name: ordinal_of
SELECT count(*) FILTER (WHERE (prefix, player COLLATE "C") < ($2, $3)) AS before,
    count(*) FILTER (WHERE (prefix, player COLLATE "C") <= ($2, $3)) AS through
FROM standings_at($1, $4) WHERE prefix IS NOT NULL

-- name: all
SELECT player, coalesce(prefix, hidden) AS prefix, extra, prefix IS NULL AS hidden
FROM standings_at($1, $2) WHERE coalesce(prefix, hidden) IS NOT NULL

-- name: entries
SELECT s.prefix, s.player, s.extra, count(*) OVER (PARTITION BY s.prefix) AS tied, p.name
FROM standings_at($1, $3) s LEFT JOIN players p ON p.generation_id = $2 AND p.player = s.player COLLATE "C"
WHERE s.prefix IS NOT NULL
ORDER BY s.prefix, s.player COLLATE "C"

-- name: entries_of_parts
-- The same of several rankings as one.
SELECT s.prefix, s.player, s.extra, count(*) OVER (PARTITION BY s.prefix) AS tied, p.name
FROM unnest($1::integer[], $2::integer[], $3::bigint[]) AS part (ranking_id, generation_id, version)
CROSS JOIN LATERAL standings_at(part.ranking_id, part.version) s
LEFT JOIN players p ON p.generation_id = part.generation_id AND p.player = s.player COLLATE "C"
WHERE s.prefix IS NOT NULL
ORDER BY s.prefix, s.player COLLATE "C"

-- name: found_by_id
SELECT player FROM standings_at($1, $4)
WHERE player COLLATE "C" >= $2 AND player COLLATE "C" < ($2 || chr(1114111)) AND prefix IS NOT NULL
ORDER BY player COLLATE "C" LIMIT $3

-- name: found_by_name
SELECT p.player, p.name FROM (
    SELECT player, lower(name) AS name FROM players
    WHERE generation_id = $2 AND name IS NOT NULL
        AND lower(name) ~>=~ lower($3) AND lower(name) ~<~ (lower($3) || chr(1114111))
    ORDER BY lower(name) USING ~<~ LIMIT $5
) p
WHERE EXISTS (SELECT FROM standings_at($1, $6) s WHERE s.player COLLATE "C" = p.player AND s.prefix IS NOT NULL)
ORDER BY p.name USING ~<~ LIMIT $4

-- name: by_version
SELECT version, epoch, shard, ms, seq, committed_at FROM game_publications WHERE game_id = $1 AND version = $2

-- name: rounds
-- The rounds of a board and in which version each was first displayed, the newest first.
SELECT r.period, min(greatest(r.since, s.from_version)) AS began
FROM live_spans s JOIN rankings r ON r.generation_id = s.generation_id AND r.board = $2 AND r.segment = ''
    AND r.period >= 'round:' AND r.period < 'round;'
WHERE s.game_id = $1 AND r.since < coalesce(s.to_version, $3 + 1)
GROUP BY r.period HAVING min(greatest(r.since, s.from_version)) <= $3
ORDER BY began DESC, r.period DESC
