-- Queries of generations: building them beside the live one, changing which one is live, dropping them.

-- name: ruleset
SELECT version FROM rulesets WHERE game_id = $1 AND ($2::integer IS NULL OR version = $2) ORDER BY version DESC LIMIT 1

-- name: lacking
-- The parts of a spread game that cannot build a version of the rules, because they have not got it or are not there.
SELECT coalesce(array_agg(part ORDER BY part), '{}')
FROM (SELECT generate_series(0, max(parts) - 1) AS part FROM games WHERE name = $1) p
WHERE NOT EXISTS (SELECT FROM games g JOIN rulesets r USING (game_id) WHERE g.name = $1 AND g.part = p.part AND r.version = $2)

-- name: new
-- A generation of each part of a game. Of a spread one they are peers.
WITH drawn AS (
    SELECT game_id, part, parts, nextval(pg_get_serial_sequence('generations', 'generation_id'))::integer AS number
    FROM games WHERE name = $1
)
INSERT INTO generations (generation_id, game_id, ruleset_version, status, name, peer)
OVERRIDING SYSTEM VALUE
SELECT number, game_id, $2, 'building', $3, CASE WHEN parts > 1 THEN min(number) FILTER (WHERE part = 0) OVER () END
FROM drawn
RETURNING generation_id, game_id

-- name: peers
-- A generation with those of the other parts of its game, if it is spread, in the order of the parts.
SELECT n.generation_id, n.status, g.game_id, g.shard, g.part
FROM generations m
JOIN games h ON h.game_id = m.game_id
JOIN games g ON g.name = h.name
JOIN generations n ON n.game_id = g.game_id AND n.peer IS NOT DISTINCT FROM m.peer
    AND (n.generation_id = m.generation_id OR h.parts > 1)
WHERE m.generation_id = $1
ORDER BY g.part

-- name: unfinished
-- A build that was broken off, to go on with.
SELECT coalesce(n.peer, n.generation_id) FROM generations n JOIN games g USING (game_id)
WHERE g.name = $1 AND n.status = 'building' AND n.ruleset_version = $2 AND n.name IS NOT DISTINCT FROM $3
ORDER BY 1 DESC LIMIT 1

-- name: generation
-- As the fold of a generation needs it, with where it stopped.
SELECT g.game_id, g.name, g.shard, g.parts, n.generation_id, n.ruleset_version, n.clock_ms, r.text, n.status, n.retired_at,
    n.folded_epoch, n.folded_ms, n.folded_seq, n.folded_events,
    EXISTS (SELECT FROM erasures e WHERE e.game_id = g.game_id) AS erased
FROM generations n
JOIN games g USING (game_id)
JOIN rulesets r ON r.game_id = n.game_id AND r.version = n.ruleset_version
WHERE n.generation_id = $1

-- name: listed
-- Of a spread game the lines of each part follow one another.
SELECT n.generation_id, n.ruleset_version, n.status, n.name, n.created_at, n.retired_at, n.reason, n.folded_events,
    n.events_known, g.shard, g.part, n.peer, n.generation_id = g.live_generation AS live,
    CASE WHEN f.follows THEN s.epoch ELSE n.folded_epoch END AS epoch,
    CASE WHEN f.follows THEN s.ms ELSE n.folded_ms END AS ms,
    CASE WHEN f.follows THEN s.seq ELSE n.folded_seq END AS seq
FROM games g
JOIN generations n USING (game_id)
CROSS JOIN LATERAL (SELECT n.status IN ('live', 'shadow') AS follows) f
JOIN shards s ON s.shard = g.shard
WHERE g.name = $1 AND n.status <> 'dropped'
ORDER BY g.part, n.generation_id

-- name: last_event
SELECT epoch, ms, seq FROM log
WHERE game_id = $1 AND verdict = 0 AND (epoch, ms, seq) <= ($2::integer, $3::bigint, $4::bigint)
ORDER BY game_id DESC, epoch DESC, shard DESC, ms DESC, seq DESC LIMIT 1

-- name: previous
-- The generation that was live last.
SELECT generation_id FROM generations
WHERE game_id = $1 AND status = 'retired' AND retired_at IS NOT NULL ORDER BY retired_at DESC, generation_id DESC LIMIT 1

-- name: claim
-- A build goes on from exactly where it was; else somebody else builds, or has dropped it.
SELECT generation_id FROM generations
WHERE generation_id = $1 AND status = $2 AND (folded_epoch, folded_ms, folded_seq) = ($3::integer, $4::bigint, $5::bigint)
FOR UPDATE

-- name: advance
UPDATE generations SET folded_epoch = $2, folded_ms = $3, folded_seq = $4, folded_events = $5, events_known = $6
WHERE generation_id = $1

-- name: new_catalog
-- Obliges the shard's writer to read anew which generations there are, and readers to look at names again.
WITH moved AS (
    UPDATE shards SET version = version + 1, catalog = catalog + 1, profiles = version + 1
    WHERE shard = $1 RETURNING shard, version, epoch, ms, seq
)
INSERT INTO publications (shard, version, epoch, ms, seq) SELECT * FROM moved

-- name: hold
-- One generation of a game, held until the transaction's end.
SELECT generation_id, status FROM generations WHERE game_id = $1 AND generation_id = $2 FOR UPDATE

-- name: retire
UPDATE generations n SET status = 'retired', retired_at = now(), folded_epoch = s.epoch, folded_ms = s.ms, folded_seq = s.seq
FROM games g JOIN shards s USING (shard)
WHERE n.game_id = $1 AND g.game_id = n.game_id AND n.status = 'live'

-- name: go_live
WITH live AS (UPDATE generations SET status = 'live' WHERE generation_id = $2)
UPDATE games SET live_generation = $2 WHERE game_id = $1

-- name: begin_span
-- What is displayed from the shard's present version on is another generation's.
WITH present AS (SELECT version FROM shards WHERE shard = $2),
ended AS (UPDATE live_spans SET to_version = (SELECT version FROM present) WHERE game_id = $1 AND to_version IS NULL)
INSERT INTO live_spans (game_id, generation_id, from_version) SELECT $1, $3, version FROM present

-- name: forget_spans
-- When it was live is still known, but not what it displayed.
UPDATE live_spans SET generation_id = NULL WHERE generation_id = $1

-- name: go_shadow
UPDATE generations SET status = 'shadow' WHERE generation_id = $1

-- name: rest
-- A build that has come to where it was to stop.
UPDATE generations SET status = 'retired' WHERE generation_id = $1 AND status = 'building'

-- name: fail
UPDATE generations SET status = 'failed', reason = $2 WHERE generation_id = $1 AND status IN ('building', 'shadow', 'retired')

-- name: detach
-- Stops a shadow where its shard is.
UPDATE generations n SET status = $2, reason = $3, folded_epoch = s.epoch, folded_ms = s.ms, folded_seq = s.seq
FROM games g JOIN shards s USING (shard)
WHERE n.generation_id = $1 AND g.game_id = n.game_id AND n.status = 'shadow'

-- name: shown_frozen
-- Whether readers are shown a frozen board from a generation.
SELECT EXISTS (
    SELECT FROM freezes f JOIN live_spans s ON s.game_id = f.game_id AND s.from_version <= f.from_version
        AND (s.to_version IS NULL OR s.to_version > f.from_version)
    WHERE f.game_id = $1 AND f.to_version IS NULL AND s.generation_id = $2
)

-- name: drop
UPDATE generations SET status = 'dropped', reason = NULL WHERE generation_id = $1

-- name: drop_old
-- All that do not follow the log: what they hold was folded from an archive that is rewritten.
UPDATE generations SET status = 'dropped', reason = NULL
WHERE game_id = $1 AND status IN ('building', 'retired', 'failed')

-- name: dropped
-- What is left to be emptied, and for how long it was read by nobody (seconds; nothing when it never was).
SELECT generation_id, extract(epoch FROM now() - retired_at)::float8 AS idle_s FROM generations
WHERE game_id = $1 AND status = 'dropped' AND reason IS DISTINCT FROM 'emptied'

-- name: is_dropped
SELECT status = 'dropped' FROM generations WHERE generation_id = $1

-- name: emptied
UPDATE generations SET reason = 'emptied' WHERE generation_id = $1

-- name: shadows
SELECT generation_id, ruleset_version, name FROM generations WHERE game_id = $1 AND status = 'shadow' ORDER BY generation_id

-- name: drop_standings
DELETE FROM standings WHERE ranking_id = $1 AND player IN (SELECT player FROM standings WHERE ranking_id = $1 LIMIT $2)

-- name: drop_dues
DELETE FROM dues WHERE ranking_id = $1 AND player IN (SELECT player FROM dues WHERE ranking_id = $1 LIMIT $2)

-- name: drop_history
DELETE FROM standings_history
WHERE ranking_id = $1 AND player IN (SELECT player FROM standings_history WHERE ranking_id = $1 LIMIT $2)

-- name: drop_picks
DELETE FROM picks WHERE ctid = ANY (ARRAY(SELECT ctid FROM picks WHERE generation_id = $1 LIMIT $2))

-- name: drop_badges
DELETE FROM badges WHERE ctid = ANY (ARRAY(SELECT ctid FROM badges WHERE generation_id = $1 LIMIT $2))

-- name: drop_rejections
DELETE FROM rejections WHERE ctid = ANY (ARRAY(SELECT ctid FROM rejections WHERE generation_id = $1 LIMIT $2))

-- name: drop_players
DELETE FROM players WHERE ctid = ANY (ARRAY(SELECT ctid FROM players WHERE generation_id = $1 LIMIT $2))

-- name: drop_fixtures
DELETE FROM fixtures WHERE ctid = ANY (ARRAY(SELECT ctid FROM fixtures WHERE generation_id = $1 LIMIT $2))

-- name: drop_voids
DELETE FROM voids WHERE ctid = ANY (ARRAY(SELECT ctid FROM voids WHERE generation_id = $1 LIMIT $2))

-- name: drop_stand_ins
DELETE FROM stand_ins WHERE ctid = ANY (ARRAY(SELECT ctid FROM stand_ins WHERE generation_id = $1 LIMIT $2))

-- name: drop_closes
DELETE FROM closes WHERE ctid = ANY (ARRAY(SELECT ctid FROM closes WHERE generation_id = $1 LIMIT $2))

-- name: drop_ranking
DELETE FROM rankings WHERE ranking_id = $1

-- name: rows
SELECT r.board, r.period, r.segment, s.player, s.prefix, s.extra, s.state, s.since, s.hidden, d.due
FROM rankings r
JOIN standings s USING (ranking_id)
LEFT JOIN dues d ON d.ranking_id = s.ranking_id AND d.player = s.player
WHERE r.generation_id = $1

-- name: rankings
SELECT ranking_id, board, period, segment, version FROM rankings WHERE generation_id = $1

-- name: fixtures
SELECT state FROM fixtures WHERE generation_id = $1

-- name: picks
SELECT fixture, player, market, epoch, ms, seq, event, choice, stake FROM picks
WHERE generation_id = $1 ORDER BY epoch, ms, seq

-- name: attributes
SELECT player, attributes FROM players WHERE generation_id = $1 AND attributes <> '{}'
