-- Queries of corrections: what the archive says of the past, and which events are void.

-- name: events_by_id
SELECT l.epoch, l.shard, l.ms, l.seq, l.body
FROM unnest($2::bytea[]) AS wanted (id_hash)
JOIN event_ids e ON e.game_id = $1 AND e.id_hash = wanted.id_hash
JOIN log l ON l.game_id = $1 AND l.epoch = e.epoch AND l.shard = e.shard AND l.ms = e.ms AND l.seq = e.seq
WHERE l.verdict = 0

-- name: events_about
SELECT epoch, shard, ms, seq, body FROM log
WHERE game_id = $1 AND subject = ANY ($2::integer[]) AND verdict = 0
    AND (epoch, ms, seq) <= ($3::integer, $4::bigint, $5::bigint)

-- name: void
INSERT INTO voids (generation_id, event) SELECT * FROM unnest($1::integer[], $2::text[]) ON CONFLICT DO NOTHING

-- name: reinstate
DELETE FROM voids v USING unnest($1::integer[], $2::text[]) AS n (generation_id, event)
WHERE v.generation_id = n.generation_id AND v.event = n.event

-- name: voided
SELECT generation_id, event FROM voids WHERE generation_id = ANY ($1::integer[])
