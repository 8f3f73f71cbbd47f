-- Queries of verification: what a generation holds beside its standings, column by column as a fold would write it.

-- name: badges
SELECT board, period, player, badge, epoch, shard, ms, seq, occurred_ms FROM badges WHERE generation_id = $1

-- name: fixtures
SELECT fixture, revision, round, starts_ms, state FROM fixtures WHERE generation_id = $1

-- name: picks
SELECT fixture, player, market, epoch, ms, seq, event, choice, stake FROM picks WHERE generation_id = $1

-- name: rejections
SELECT epoch, shard, ms, seq, event, player, field, reason FROM rejections WHERE generation_id = $1

-- name: players
SELECT player, name, attributes, status, joined_ms FROM players WHERE generation_id = $1

-- name: voids
SELECT event FROM voids WHERE generation_id = $1

-- name: closes
SELECT board, period, epoch, shard, ms, seq FROM closes WHERE generation_id = $1

-- name: dues
SELECT r.board, r.period, r.segment, d.player, d.due
FROM rankings r JOIN dues d USING (ranking_id)
WHERE r.generation_id = $1
