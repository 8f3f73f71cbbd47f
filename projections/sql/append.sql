-- name: known_ids
-- Which of these event ids a game has used for good. One index probe each, whatever the planner thinks of the array.
SELECT asked.number, known.body_hash, known.epoch, known.shard, known.ms, known.seq
FROM unnest($1::integer[], $2::bytea[]) WITH ORDINALITY AS asked (game_id, id_hash, number)
CROSS JOIN LATERAL (
    SELECT body_hash, epoch, shard, ms, seq
    FROM event_ids
    WHERE event_ids.game_id = asked.game_id AND event_ids.id_hash = asked.id_hash
    LIMIT 1
) AS known
