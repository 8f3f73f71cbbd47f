-- Queries of the shard writer. All are set-based: their number does not depend on the size of a batch.

-- name: by_index
-- The planner does not know how many keys an array holds, and would rather read a whole table than look up a thousand rows.
-- Local to the transaction.
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
    set_config('enable_mergejoin', 'off', true)

-- name: advance
-- With the settings of the transaction, as it is its first statement: those of `by_index`, and one that ends it when the process
-- freezes in its midst. It holds the shard's row, and whoever takes over waits no longer than this.
WITH moved AS (
    UPDATE shards SET ms = $4, seq = $5, version = version + 1, profiles = $8
    WHERE shard = $1 AND ms = $2 AND seq = $3 AND epoch = $6 AND catalog = $7
    RETURNING shard, version, epoch, ms, seq
)
INSERT INTO publications (shard, version, epoch, ms, seq) SELECT * FROM moved
RETURNING version, set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
    set_config('enable_mergejoin', 'off', true), set_config('idle_in_transaction_session_timeout', '10s', true)

-- name: extend
-- The batch has grown since `advance`, whose row is locked. It is shown from now on, not from when it began.
WITH moved AS (
    UPDATE shards SET ms = $3, seq = $4, profiles = $5 WHERE shard = $1 AND version = $2
    RETURNING shard, version, ms, seq
)
UPDATE publications p SET ms = moved.ms, seq = moved.seq, committed_at = clock_timestamp()
FROM moved WHERE p.shard = moved.shard AND p.version = moved.version

-- name: leap
-- A restored database has given versions away that readers have seen already: it goes on behind all of them.
WITH moved AS (
    UPDATE shards SET version = $3, profiles = $3, catalog = catalog + 1 WHERE shard = $1 AND version = $2
    RETURNING shard, version, epoch, ms, seq
), touched AS (
    UPDATE rankings r SET version = $3 FROM generations n, games g, moved
    WHERE n.generation_id = r.generation_id AND n.status IN ('live', 'shadow') AND g.game_id = n.game_id AND g.shard = $1
)
INSERT INTO publications (shard, version, epoch, ms, seq) SELECT * FROM moved

-- name: publish
INSERT INTO publications (shard, version, epoch, ms, seq) VALUES ($1, $2, $3, $4, $5)

-- name: known_ids
SELECT e.game_id, e.id_hash, e.body_hash, e.epoch, e.shard, e.ms, e.seq
FROM unnest($1::integer[], $2::bytea[]) AS wanted (game_id, id_hash)
JOIN event_ids e USING (game_id, id_hash)

-- name: game
-- The generations of games that follow the log: the live one and its shadows. Of a spread game those of a shard, or of its
-- first part where the shard has none.
SELECT g.game_id, g.name, g.shard, g.parts, n.generation_id, n.ruleset_version, n.clock_ms, n.status, r.text,
    EXISTS (SELECT FROM erasures e WHERE e.game_id = g.game_id) AS erased
FROM games g
JOIN generations n ON n.game_id = g.game_id AND n.status IN ('live', 'shadow')
JOIN rulesets r ON r.game_id = g.game_id AND r.version = n.ruleset_version
WHERE g.name = ANY ($1::text[]) AND g.part = CASE WHEN $2 < g.parts THEN $2 ELSE 0 END
ORDER BY n.generation_id

-- name: sanctions
SELECT generation_id, player, status FROM players WHERE generation_id = ANY ($1::integer[]) AND status <> 'active'

-- name: rankings
SELECT r.ranking_id, r.board, r.period, r.segment, r.version
FROM unnest($2::text[], $3::text[], $4::text[]) AS wanted (board, period, segment)
JOIN rankings r ON r.generation_id = $1 AND r.board = wanted.board AND r.period = wanted.period AND r.segment = wanted.segment

-- name: next_ranking_ids
SELECT nextval(pg_get_serial_sequence('rankings', 'ranking_id'))::integer FROM generate_series(1, $1)

-- name: rows
SELECT s.ranking_id, s.player, s.prefix, s.extra, s.state, s.since, s.hidden
FROM unnest($1::integer[], $2::text[]) AS wanted (ranking_id, player)
JOIN standings s ON s.ranking_id = wanted.ranking_id AND s.player = wanted.player


-- name: rows_of_players
SELECT s.ranking_id, r.board, r.period, r.segment, s.player, s.prefix, s.extra, s.state, s.since, s.hidden
FROM rankings r
JOIN standings s ON s.ranking_id = r.ranking_id AND s.player = ANY ($2::text[])
WHERE r.generation_id = $1

-- name: insert_rankings
INSERT INTO rankings (ranking_id, generation_id, board, period, segment, version, since) OVERRIDING SYSTEM VALUE
SELECT n.*, n.version FROM unnest($1::integer[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::bigint[])
    AS n (ranking_id, generation_id, board, period, segment, version)

-- name: touch_rankings
UPDATE rankings SET version = $2 WHERE ranking_id = ANY ($1::integer[])

-- name: update_standings
-- Numbers come as the text of an array. Without extras they are empty, without hidden prefixes there are none.
UPDATE standings s
SET prefix = n.prefix, extra = coalesce(n.extra, ''), state = n.state, since = n.since, hidden = n.hidden
FROM unnest($1::text::integer[], $2::text[], $3::bytea[], $4::bytea[], $5::text::bigint[], $6::bytea[], $7::bytea[])
    AS n (ranking_id, player, prefix, state, since, extra, hidden)
WHERE s.ranking_id = n.ranking_id AND s.player = n.player

-- name: upsert_players
INSERT INTO players AS p (generation_id, player, name, attributes, status, version)
SELECT generation_id, player, name, attributes::jsonb, status, version
FROM unnest($1::integer[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
    AS n (generation_id, player, name, attributes, status, version)
ON CONFLICT (generation_id, player) DO UPDATE SET
    name = coalesce(excluded.name, p.name),
    attributes = p.attributes || excluded.attributes,
    status = excluded.status,
    version = excluded.version

-- name: dead_letter
INSERT INTO dead_letters (game, epoch, shard, ms, seq, field, reason, body)
SELECT * FROM unnest($1::text[], $2::integer[], $3::integer[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::bytea[])
ON CONFLICT (epoch, shard, ms, seq) DO NOTHING

-- name: shard
SELECT epoch, ms, seq, version, catalog, profiles FROM shards WHERE shard = $1

-- name: new_shard
INSERT INTO shards (shard, epoch, ms, seq, version, catalog) VALUES ($1, 1, 0, 0, 0, 0) ON CONFLICT DO NOTHING

-- name: hold_name
-- Until the transaction's end nobody else makes a game of this name.
SELECT pg_advisory_xact_lock(hashtextextended($1, 7265678))

-- name: parts_of
SELECT parts FROM games WHERE name = $1 LIMIT 1

-- name: new_game
-- Nothing when there is one of this name that is not spread, or not over as many parts.
WITH made AS (
    INSERT INTO games (name, shard, part, parts) SELECT $1, $2, $3, $4
    WHERE NOT EXISTS (SELECT FROM games WHERE name = $1 AND parts <> $4) RETURNING game_id, shard
)
INSERT INTO homes (game_id, from_version, shard) SELECT game_id, 0, shard FROM made RETURNING game_id

-- name: latest_ruleset
SELECT max(version) FROM rulesets WHERE game_id = $1

-- name: new_ruleset
INSERT INTO rulesets (game_id, version, mode, text, position, recorded_ms) VALUES ($1, $2, $3, $4, $5, $6)

-- name: new_generation
INSERT INTO generations (game_id, ruleset_version, status) VALUES ($1, $2, $3) RETURNING generation_id

-- name: go_live
-- The span of the generation that was live until now ends, and that of another one begins, with a version of the shard.
WITH ended AS (UPDATE live_spans SET to_version = $3 WHERE game_id = $1 AND to_version IS NULL),
begun AS (
    INSERT INTO live_spans (game_id, generation_id, from_version)
    SELECT game_id, $2, $3 FROM games WHERE game_id = $1
)
UPDATE games SET live_generation = $2 WHERE game_id = $1

-- name: ruleset_elsewhere
SELECT EXISTS (SELECT FROM games g JOIN rulesets r USING (game_id) WHERE g.name = $1 AND r.version = $2 AND r.text <> $3)

-- name: ruleset_text
SELECT text FROM rulesets WHERE game_id = $1 AND version = $2

-- name: ranking
-- Not one that is frozen: that is not shown out of its standings. Nor one of a generation that is being emptied.
SELECT r.version, r.board, t.text
FROM rankings r JOIN generations n USING (generation_id)
JOIN rulesets t ON t.game_id = n.game_id AND t.version = n.ruleset_version
WHERE r.ranking_id = $1 AND n.status <> 'dropped'
    AND NOT EXISTS (
        SELECT FROM freezes f JOIN games g ON g.game_id = f.game_id AND g.live_generation = r.generation_id
        WHERE f.to_version IS NULL AND f.board IN ('', r.board) AND f.period IN ('', r.period)
    )

-- name: lines
SELECT player, coalesce(prefix, hidden) AS prefix, extra, prefix IS NULL AS hidden
FROM standings WHERE ranking_id = $1 AND coalesce(prefix, hidden) IS NOT NULL
