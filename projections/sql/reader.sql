-- Queries of the readers: the catalog, and rankings while Redis cannot answer.

-- name: catalog
SELECT g.game_id, g.name, g.shard, g.part, g.parts, g.live_generation, n.ruleset_version
FROM games g JOIN generations n ON n.generation_id = g.live_generation
ORDER BY g.name, g.part

-- name: told
-- Since when who reads a shard has to look again which generations are live, and at profiles.
SELECT shard, catalog, profiles FROM shards

-- name: beside
SELECT g.game_id, g.name, g.shard, g.part, g.parts, n.generation_id AS live_generation, n.ruleset_version,
    n.status IN ('live', 'shadow') AS follows, n.folded_epoch, n.folded_ms, n.folded_seq
FROM generations n JOIN games g USING (game_id)
WHERE n.game_id = $1 AND n.generation_id = $2 AND n.status <> 'dropped'

-- name: ruleset_texts
SELECT r.game_id, r.text
FROM unnest($1::integer[], $2::integer[]) AS wanted (game_id, version) JOIN rulesets r USING (game_id, version)

-- name: rulesets
SELECT version, mode, position, recorded_ms, text FROM rulesets WHERE game_id = $1 ORDER BY version

-- name: rulesets_before
-- The newest first.
SELECT version, mode, position, recorded_ms, text FROM rulesets
WHERE game_id = $1 AND version < $2 ORDER BY version DESC LIMIT $3

-- name: rankings_of
SELECT generation_id, ranking_id, board, period, segment, since FROM rankings WHERE generation_id = ANY ($1::integer[])

-- name: rankings_after
SELECT ranking_id, generation_id, board, period, segment, since FROM rankings WHERE ranking_id > $1 - 1000 AND generation_id = ANY ($2::integer[]) ORDER BY ranking_id

-- name: ranking_state
SELECT r.version, count(s.prefix) AS total, (
        SELECT min(f.from_version) FROM freezes f JOIN games g USING (game_id)
        WHERE g.live_generation = r.generation_id AND f.to_version IS NULL
            AND f.board IN ('', r.board) AND f.period IN ('', r.period)
    ) AS frozen_at
FROM rankings r LEFT JOIN standings s ON s.ranking_id = r.ranking_id AND s.prefix IS NOT NULL
WHERE r.ranking_id = $1 GROUP BY r.ranking_id

-- name: place
-- A hidden player may have nobody at or in front of the place that he would have.
SELECT s.prefix, s.extra, s.hidden,
    count(o.*) FILTER (WHERE (o.prefix, o.player) < (s.prefix, s.player)) AS ordinal,
    count(o.*) FILTER (WHERE o.prefix < s.prefix) AS ahead,
    count(o.*) FILTER (WHERE o.prefix = s.prefix) AS tied,
    count(DISTINCT o.prefix) FILTER (WHERE o.prefix < s.prefix) AS dense
FROM (
    SELECT ranking_id, player, coalesce(prefix, hidden) AS prefix, extra, prefix IS NULL AS hidden
    FROM standings WHERE ranking_id = $1 AND player = $2 AND coalesce(prefix, hidden) IS NOT NULL
) s LEFT JOIN standings o ON o.ranking_id = s.ranking_id AND o.prefix <= s.prefix
GROUP BY s.prefix, s.player, s.extra, s.hidden

-- name: places
-- As `place`, in many rankings at once.
SELECT s.ranking_id, s.prefix, s.extra, s.hidden,
    count(o.*) FILTER (WHERE (o.prefix, o.player) < (s.prefix, s.player)) AS ordinal,
    count(o.*) FILTER (WHERE o.prefix < s.prefix) AS ahead,
    count(o.*) FILTER (WHERE o.prefix = s.prefix) AS tied,
    count(DISTINCT o.prefix) FILTER (WHERE o.prefix < s.prefix) AS dense,
    (SELECT count(*) FROM standings t WHERE t.ranking_id = s.ranking_id AND t.prefix IS NOT NULL) AS total
FROM (
    SELECT ranking_id, player, coalesce(prefix, hidden) AS prefix, extra, prefix IS NULL AS hidden
    FROM standings WHERE ranking_id = ANY ($1::integer[]) AND player = $2 AND coalesce(prefix, hidden) IS NOT NULL
) s LEFT JOIN standings o ON o.ranking_id = s.ranking_id AND o.prefix <= s.prefix
GROUP BY s.ranking_id, s.prefix, s.player, s.extra, s.hidden

-- name: lines
SELECT prefix, player, extra FROM standings
WHERE ranking_id = $1 AND prefix IS NOT NULL
ORDER BY prefix, player OFFSET $2 LIMIT $3

-- name: counts
SELECT count(*) FILTER (WHERE prefix < $2) AS ahead,
    count(DISTINCT prefix) FILTER (WHERE prefix < $2) AS dense,
    count(*) FILTER (WHERE prefix <= $3) AS through
FROM standings WHERE ranking_id = $1 AND prefix IS NOT NULL

-- name: ordinal_of
SELECT count(*) FILTER (WHERE (prefix, player) < ($2, $3)) AS before,
    count(*) FILTER (WHERE (prefix, player) <= ($2, $3)) AS through
FROM standings WHERE ranking_id = $1 AND prefix IS NOT NULL

-- name: live_versions
-- Of all generations that follow the log, but for rankings that are frozen.
SELECT r.ranking_id, r.board, g.game_id, n.ruleset_version, r.version
FROM games g JOIN generations n ON n.game_id = g.game_id AND n.status IN ('live', 'shadow')
JOIN rankings r ON r.generation_id = n.generation_id
WHERE g.shard = ANY ($1::integer[])
    AND NOT EXISTS (
        SELECT FROM freezes f
        WHERE f.game_id = g.game_id AND g.live_generation = r.generation_id AND f.to_version IS NULL AND f.board IN ('', r.board) AND f.period IN ('', r.period)
    )

-- name: names
SELECT player, name FROM players WHERE generation_id = $1 AND player = ANY ($2::text[]) AND name IS NOT NULL

-- name: names_changed
SELECT player, name, status FROM players WHERE generation_id = $1 AND version > $2 LIMIT $3

-- name: profile
SELECT name, attributes, status FROM players WHERE generation_id = $1 AND player = $2

-- name: rankings_of_player
-- The rankings of these boards that a player is in, those over all time first, then those that began last. One index probe a
-- ranking. Without those that only serve to compare with.
SELECT r.ranking_id, r.board, r.period, r.segment
FROM rankings r
CROSS JOIN LATERAL (
    SELECT FROM standings s
    WHERE s.ranking_id = r.ranking_id AND s.player = $2 AND ($7 OR coalesce(s.prefix, s.hidden) IS NOT NULL) LIMIT 1
) held
WHERE r.generation_id = $1 AND r.board = ANY ($3::text[]) AND NOT starts_with(r.segment, '<')
    AND (r.period = 'all', r.ranking_id) < ($4, $5)
ORDER BY r.period = 'all' DESC, r.ranking_id DESC LIMIT $6

-- name: has_player
-- Whether a player has anything on one of these boards.
SELECT EXISTS (
    SELECT FROM rankings r
    CROSS JOIN LATERAL (
        SELECT FROM standings s WHERE s.ranking_id = r.ranking_id AND s.player = (SELECT stored_as($1, $2)) LIMIT 1
    ) held
    WHERE r.generation_id = $1 AND r.board = ANY ($3::text[])
)

-- name: dead_letters
SELECT dead_letter_id, game, epoch, shard, ms, seq, field, reason, body, status, created_at
FROM dead_letters WHERE ($1::text IS NULL OR game = $1) AND dead_letter_id > $2 AND ($3::text IS NULL OR status = $3)
ORDER BY dead_letter_id LIMIT $4

-- name: open_dead_letters
-- To where the game lives now, which may be another shard than the one that the entry came to.
SELECT d.dead_letter_id, d.game, coalesce(g.shard, d.shard) AS shard, d.shard AS came_to, g.parts, d.body
FROM dead_letters d LEFT JOIN games g ON g.name = d.game AND g.part = 0
WHERE d.status = 'open' AND d.dead_letter_id = ANY ($1::bigint[]) ORDER BY d.dead_letter_id FOR UPDATE OF d

-- name: dead_letter
SELECT status FROM dead_letters WHERE game = $1 AND dead_letter_id = $2

-- name: mark_retried
UPDATE dead_letters SET status = 'retried' WHERE dead_letter_id = ANY ($1::bigint[])

-- name: spread
-- The parts of spread games that are there, and the newest version of the rules that each has.
SELECT name, max(parts) AS parts, array_agg(part ORDER BY part) AS held, array_agg(latest ORDER BY part) AS versions
FROM games CROSS JOIN LATERAL (SELECT max(version) AS latest FROM rulesets r WHERE r.game_id = games.game_id) v
WHERE parts > 1 GROUP BY name ORDER BY name

-- name: shards
SELECT shard, epoch, ms, seq, version, profiles, owner AS lease_owner, coalesce(until > now(), false) AS held
FROM shards LEFT JOIN leases USING (shard) ORDER BY shard
