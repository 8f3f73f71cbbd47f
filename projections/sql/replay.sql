-- Queries of replay: the archive in log order, and what the live projections hold.

-- name: count
SELECT count(*) FROM log WHERE game_id = $1 AND verdict = 0

-- name: events
-- Of one of $8 shares number $9: a score that goes to another one, which its subject tells, need not be read at all.
SELECT epoch, shard, ms, seq, body FROM log
WHERE game_id = $1 AND verdict = 0 AND (epoch, ms, seq) > ($2::integer, $3::bigint, $4::bigint)
    AND (epoch, ms, seq) <= ($5::integer, $6::bigint, $7::bigint)
    AND ($8::integer = 1 OR substr(body, 1, 16) <> '{"type":"score",' OR (subject & 2147483647) % $8 = $9::integer)
ORDER BY game_id, epoch, shard, ms, seq

-- name: told
-- Of a game's events up to a place: how many there are, how many of them are found by no subject, and when the last one came.
SELECT count(*) AS events, count(*) FILTER (WHERE subject IS NULL) AS apart, max(ms) AS ms FROM log
WHERE game_id = $1 AND verdict = 0 AND (epoch, ms, seq) <= ($2::integer, $3::bigint, $4::bigint)

-- name: plainly
-- Whether the $2 events of a game that are found by no subject are its rules, and nobody was ever erased from it.
SELECT $2::bigint = (SELECT count(*) FROM rulesets WHERE game_id = $1) AND NOT EXISTS (SELECT FROM erasures WHERE game_id = $1)

-- name: in_order
-- The log lies on disk in the order of its key: read it so, instead of sorting all of it before the first row.
SELECT set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true),
    set_config('enable_seqscan', 'off', true)

-- name: any_order
SELECT set_config('enable_sort', 'on', true), set_config('enable_bitmapscan', 'on', true),
    set_config('enable_seqscan', 'on', true)

-- name: live
SELECT g.game_id, g.shard, g.live_generation, n.ruleset_version, r.text, s.epoch, s.ms, s.seq, s.version
FROM games g
JOIN generations n ON n.generation_id = g.live_generation
JOIN rulesets r ON r.game_id = g.game_id AND r.version = n.ruleset_version
JOIN shards s ON s.shard = g.shard
WHERE g.name = $1 AND g.part = $2

-- name: rows
SELECT r.board, r.period, r.segment, s.player, s.prefix, s.extra, s.state, s.hidden
FROM rankings r JOIN standings s USING (ranking_id)
WHERE r.generation_id = $1

-- name: rankings
SELECT ranking_id, board, period, segment FROM rankings WHERE generation_id = $1

-- name: digest
-- How many rows there are that say something, and their hashes added up, each half by itself: what `row_hash` of
-- engine/digest.py comes to. The subqueries have to stay: so each ranking's head, and each hash, is made once.
SELECT count(*) AS rows, coalesce(sum(hash::bit(64)::bigint), 0) AS high, coalesce(sum((hash << 64)::bit(64)::bigint), 0) AS low
FROM (
    SELECT ('x' || encode(sha256(
        r.head || convert_to(s.player, 'UTF8') || '\x00'::bytea
        || coalesce('+'::bytea || int4send(length(s.prefix)) || s.prefix, '-')
        || coalesce('+'::bytea || int4send(length(s.hidden)) || s.hidden, '-')
        || int4send(length(s.extra)) || s.extra || s.state
    ), 'hex'))::bit(128) AS hash
    FROM (
        SELECT ranking_id, convert_to(board, 'UTF8') || '\x00'::bytea || convert_to(period, 'UTF8') || '\x00'::bytea
            || convert_to(segment, 'UTF8') || '\x00'::bytea AS head
        FROM rankings WHERE generation_id = $1 OFFSET 0
    ) r
    JOIN standings s USING (ranking_id)
    WHERE s.state <> '' OR s.prefix IS NOT NULL OR s.hidden IS NOT NULL
    OFFSET 0
) hashed

-- name: standings
SELECT s.ranking_id, s.player, s.prefix, s.extra, s.state, s.hidden
FROM rankings r JOIN standings s USING (ranking_id)
WHERE r.generation_id = $1

-- name: generation
-- A generation of a game; without a number the live one of one of its parts. And the entry up to which it is folded.
SELECT g.game_id, g.shard, g.part, g.parts, n.generation_id, n.status, n.ruleset_version, r.text, s.version,
    CASE WHEN f.follows THEN s.epoch ELSE n.folded_epoch END AS epoch,
    CASE WHEN f.follows THEN s.ms ELSE n.folded_ms END AS ms,
    CASE WHEN f.follows THEN s.seq ELSE n.folded_seq END AS seq
FROM games g
JOIN generations n ON n.game_id = g.game_id AND n.generation_id = coalesce($2, g.live_generation)
CROSS JOIN LATERAL (SELECT n.status IN ('live', 'shadow') AS follows) f
JOIN rulesets r ON r.game_id = g.game_id AND r.version = n.ruleset_version
JOIN shards s ON s.shard = g.shard
WHERE g.name = $1 AND (g.part = $3 OR $2 IS NOT NULL)

-- name: more_than
-- Whether a game has more events than so many.
SELECT count(*) > $2::bigint FROM (
    SELECT 1 FROM log WHERE game_id IN (SELECT game_id FROM games WHERE name = $1) AND verdict = 0 LIMIT $2::bigint + 1
) counted

-- name: to_come
-- Whether a time, epoch milliseconds, lies ahead.
SELECT $1::bigint > extract(epoch FROM clock_timestamp()) * 1000
