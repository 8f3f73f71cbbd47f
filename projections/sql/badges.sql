-- Badges: what was awarded to whom, at which position of the log.

-- name: of_player
SELECT badge, epoch, shard, ms, seq, occurred_ms FROM badges
WHERE generation_id = $1 AND player = (SELECT stored_as($1, $2)) AND board = $3 AND period = $4
ORDER BY epoch, ms, seq, badge

