-- Queries of contests: fixtures, picks and who takes part. All are set-based.

-- name: fixtures
SELECT fixture, state FROM fixtures WHERE generation_id = $1 AND fixture = ANY ($2::text[])

-- name: round_fixtures
SELECT round, fixture, starts_ms FROM fixtures
WHERE generation_id = $1 AND round = ANY ($2::text[]) AND starts_ms IS NOT NULL

-- name: upsert_fixtures
INSERT INTO fixtures (generation_id, fixture, revision, round, starts_ms, state)
SELECT * FROM unnest($1::integer[], $2::text[], $3::integer[], $4::text[], $5::bigint[], $6::bytea[])
ON CONFLICT (generation_id, fixture) DO UPDATE SET
    revision = excluded.revision, round = excluded.round, starts_ms = excluded.starts_ms, state = excluded.state

-- name: picks
SELECT fixture, player, market, epoch, ms, seq, event, choice, stake FROM picks
WHERE generation_id = $1 AND fixture = ANY ($2::text[])
ORDER BY fixture, player, market, epoch, ms, seq

-- name: picks_of_players
SELECT fixture, player, market, epoch, ms, seq, event, choice, stake FROM picks
WHERE generation_id = $1 AND fixture = ANY ($2::text[]) AND player = ANY ($3::text[])
ORDER BY fixture, player, market, epoch, ms, seq

-- name: joined
SELECT generation_id, player, joined_ms FROM players WHERE generation_id = ANY ($1::integer[]) AND joined_ms IS NOT NULL

-- name: newcomers
INSERT INTO players (generation_id, player, joined_ms) SELECT * FROM unnest($1::integer[], $2::text[], $3::bigint[])
ON CONFLICT (generation_id, player) DO UPDATE SET joined_ms = excluded.joined_ms

-- name: rejections
SELECT epoch, shard, ms, seq, event, player, field, reason FROM rejections
WHERE generation_id = $1 AND (epoch, ms, seq) < ($2::integer, $3::bigint, $4::bigint)
ORDER BY epoch DESC, ms DESC, seq DESC LIMIT $5

-- name: rejections_of_player
SELECT epoch, shard, ms, seq, event, player, field, reason FROM rejections
WHERE generation_id = $1 AND (epoch, ms, seq) < ($2::integer, $3::bigint, $4::bigint) AND player = $6
ORDER BY epoch DESC, ms DESC, seq DESC LIMIT $5

-- name: delete_picks
DELETE FROM picks p
USING unnest($1::integer[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::bigint[], $7::bigint[])
    AS n (generation_id, fixture, player, market, epoch, ms, seq)
WHERE (p.generation_id, p.fixture, p.player, p.market, p.epoch, p.ms, p.seq)
    = (n.generation_id, n.fixture, n.player, n.market, n.epoch, n.ms, n.seq)
