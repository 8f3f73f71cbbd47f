-- Queries of replay: the archive in log order, and what the live projections hold.

-- name: count
SELECT count(*) FROM log WHERE game_id = $1 AND verdict = 0

-- name: events
SELECT epoch, shard, ms, seq, body FROM log
WHERE game_id = $1 AND verdict = 0 AND (epoch, ms, seq) > ($2::integer, $3::bigint, $4::bigint)
    AND (epoch, ms, seq) <= ($5::integer, $6::bigint, $7::bigint)
ORDER BY game_id, epoch, shard, ms, seq

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
WHERE g.name = $1

-- name: rows
SELECT r.board, r.period, r.segment, s.player, s.prefix, s.extra, s.state, s.hidden
FROM rankings r JOIN standings s USING (ranking_id)
WHERE r.generation_id = $1

-- name: ruleset
SELECT version, text FROM rulesets WHERE game_id = $1 AND ($2::integer IS NULL OR version = $2) ORDER BY version DESC LIMIT 1

-- name: new_generation
INSERT INTO generations (game_id, ruleset_version, status) VALUES ($1, $2, 'building') RETURNING generation_id

-- name: generation_status
UPDATE generations SET status = $2, folded_ms = $3, folded_seq = $4 WHERE generation_id = $1

-- name: fail_generation
UPDATE generations SET status = 'failed', folded_ms = 0, folded_seq = 0
WHERE generation_id = $1 AND status = 'building' RETURNING generation_id

-- name: retire
UPDATE generations SET status = 'retired' WHERE game_id = $1 AND status = 'live'

-- name: lock_shard
SELECT epoch, ms, seq, version FROM shards WHERE shard = $1 FOR UPDATE

-- name: swap_shard
UPDATE shards SET version = version + 1, catalog = catalog + 1 WHERE shard = $1 RETURNING version

-- name: drop_generation_rows
WITH dropped_picks AS (DELETE FROM picks WHERE generation_id = $1),
dropped_rejections AS (DELETE FROM rejections WHERE generation_id = $1)
DELETE FROM standings s USING rankings r WHERE r.ranking_id = s.ranking_id AND r.generation_id = $1
