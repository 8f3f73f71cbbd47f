-- Queries of epochs: how many shards the log has, and the change of that number.

-- name: latest
SELECT epoch, shards, opened_at IS NOT NULL AS opened FROM epochs ORDER BY epoch DESC LIMIT 1

-- name: first
INSERT INTO epochs (epoch, shards, opened_at)
SELECT coalesce((SELECT max(epoch) FROM shards), 1), greatest($1, (SELECT max(shard) + 1 FROM games)), now()
WHERE NOT EXISTS (SELECT FROM epochs)
ON CONFLICT DO NOTHING

-- name: streams
-- How many streams are read: of shards that there are no more, too, for what is still appended to them.
SELECT greatest($1, (SELECT max(shard) + 1 FROM shards))

-- name: positions
SELECT shard, epoch, ms, seq, version FROM shards ORDER BY shard

-- name: lock
-- Ended by PostgreSQL when whoever holds the writers up freezes: an operator's command that is stopped, say.
SELECT shard, epoch, ms, seq, version FROM shards, set_config('idle_in_transaction_session_timeout', '30s', true)
ORDER BY shard FOR UPDATE OF shards

-- name: new_shards
INSERT INTO shards (shard, epoch, ms, seq, version, catalog)
SELECT shard, $1, 0, 0, 0, 0 FROM unnest($2::integer[]) AS added (shard) ON CONFLICT DO NOTHING

-- name: keep_floors
-- What a shard has forgotten is gone for its games, wherever they live from now on.
UPDATE games g SET kept_from = s.kept_from FROM shards s WHERE s.shard = g.shard AND s.kept_from > g.kept_from

-- name: begin
-- catalog: whoever folds a shard forgets what he knows. profiles: readers look for names that changed.
WITH moved AS (
    UPDATE shards SET epoch = $1, version = $2, catalog = catalog + 1, profiles = $2, kept_from = 0
    RETURNING shard, version, epoch, ms, seq
)
INSERT INTO publications (shard, version, epoch, ms, seq) SELECT * FROM moved

-- name: games
-- Those that live on one shard: the parts of the others stay where they are.
SELECT game_id, name, shard FROM games WHERE parts = 1

-- name: widest
-- The spread game of the most parts.
SELECT name, parts FROM games WHERE parts > 1 ORDER BY parts DESC, name LIMIT 1

-- name: move
WITH moves AS (SELECT * FROM unnest($1::integer[], $2::integer[]) AS m (game_id, shard)),
moved AS (UPDATE games g SET shard = m.shard FROM moves m WHERE g.game_id = m.game_id),
left_ AS (UPDATE homes h SET to_version = $3 FROM moves m WHERE h.game_id = m.game_id AND h.to_version IS NULL)
INSERT INTO homes (game_id, from_version, shard) SELECT game_id, $3, shard FROM moves

-- name: new_epoch
INSERT INTO epochs (epoch, shards) VALUES ($1, $2)

-- name: opened
UPDATE epochs SET opened_at = now() WHERE epoch = $1 AND opened_at IS NULL

-- name: lock_shard
-- As with `lock`.
SELECT epoch, ms, seq, version, catalog, profiles
FROM shards, set_config('idle_in_transaction_session_timeout', '30s', true) WHERE shard = $1 FOR UPDATE OF shards

-- name: home
SELECT shard FROM games WHERE game_id = $1

-- name: state_of_game
SELECT s.epoch, s.ms, s.seq, s.version, s.catalog, s.profiles, s.shard FROM games g JOIN shards s USING (shard)
WHERE g.game_id = $1
