-- Freezes: written in the transaction of the event, read by the shard's writer and by readers.

-- name: freeze
INSERT INTO freezes (game_id, board, period, from_version, epoch, shard, ms, seq, final)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (game_id, board, period, final) WHERE to_version IS NULL DO NOTHING

-- name: thaw
-- Ends the freezes and closes that lie within what is thawed.
UPDATE freezes
SET to_version = $4, until_epoch = $5, until_shard = $6, until_ms = $7, until_seq = $8, ended_at = clock_timestamp()
WHERE game_id = $1 AND to_version IS NULL AND $2 IN ('', board) AND $3 IN ('', period)

-- name: active
SELECT game_id, board, period, final, from_version FROM freezes WHERE to_version IS NULL AND game_id = ANY ($1::integer[])

-- name: known
-- Those that hold, those that ended a moment ago, each with the generation that was live then; one line tells when none changed.
SELECT f.*, s.generation_id FROM freezes f
LEFT JOIN live_spans s ON s.game_id = f.game_id AND s.from_version <= f.from_version
    AND (s.to_version IS NULL OR s.to_version > f.from_version)
WHERE f.to_version IS NULL OR f.ended_at > now() - interval '1 minute'

-- name: during
-- Those that held in a version.
SELECT f.*, s.generation_id FROM freezes f
LEFT JOIN live_spans s ON s.game_id = f.game_id AND s.from_version <= f.from_version
    AND (s.to_version IS NULL OR s.to_version > f.from_version)
WHERE f.game_id = $1 AND f.from_version <= $2 AND (f.to_version IS NULL OR f.to_version > $2)

-- name: token
-- Changes whenever a freeze begins or ends.
SELECT count(*) + count(to_version) FROM freezes

-- name: forget_closes
DELETE FROM closes WHERE generation_id = $1

-- name: close
INSERT INTO closes (generation_id, board, period, epoch, shard, ms, seq)
SELECT * FROM unnest($1::integer[], $2::text[], $3::text[], $4::integer[], $5::integer[], $6::bigint[], $7::bigint[])

-- name: closed
SELECT generation_id, board, period, epoch, shard, ms, seq FROM closes WHERE generation_id = ANY ($1::integer[])
