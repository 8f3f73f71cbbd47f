-- Queries of erasure: first what the shard writer does in the erasing event's transaction, then what the operator's command does.

-- name: contests_naming
SELECT fixture, state FROM fixtures WHERE generation_id = $1 AND position($2::bytea IN state) > 0

-- name: record
-- Only the first time: generations that are built later fold the erasing event again. Those that readers may be shown and that
-- do not follow the log hold him as they did: they are told by whom he is to be shown.
WITH recorded AS (
    INSERT INTO erasures (game_id, epoch, shard, ms, seq, player) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT DO NOTHING RETURNING game_id
)
INSERT INTO stand_ins (generation_id, player, surrogate)
SELECT DISTINCT n.generation_id, $6, $7
FROM recorded JOIN live_spans s USING (game_id) JOIN generations n ON n.generation_id = s.generation_id
WHERE n.status NOT IN ('live', 'shadow')
ON CONFLICT DO NOTHING

-- name: renamed
-- Nobody has to stand in for him any more.
DELETE FROM stand_ins WHERE generation_id = $1 AND player = $2

-- name: rename_standings
UPDATE standings s SET player = $3 FROM rankings r
WHERE r.generation_id = $1 AND s.ranking_id = r.ranking_id AND s.player = $2

-- name: rename_history
UPDATE standings_history s SET player = $3 FROM rankings r
WHERE r.generation_id = $1 AND s.ranking_id = r.ranking_id AND s.player = $2

-- name: rename_dues
UPDATE dues s SET player = $3 FROM rankings r
WHERE r.generation_id = $1 AND s.ranking_id = r.ranking_id AND s.player = $2

-- name: rename_picks
UPDATE picks SET player = $3 WHERE generation_id = $1 AND player = $2

-- name: rename_badges
UPDATE badges SET player = $3 WHERE generation_id = $1 AND player = $2

-- name: rename_player
UPDATE players SET player = $3, name = NULL, attributes = '{}' WHERE generation_id = $1 AND player = $2

-- name: rejections_of
SELECT epoch, ms, seq, shard, reason FROM rejections WHERE generation_id = $1 AND player = $2

-- name: rename_rejections
UPDATE rejections r SET player = $2, reason = n.reason
FROM unnest($3::integer[], $4::bigint[], $5::bigint[], $6::integer[], $7::text[]) AS n (epoch, ms, seq, shard, reason)
WHERE r.generation_id = $1 AND (r.epoch, r.ms, r.seq, r.shard) = (n.epoch, n.ms, n.seq, n.shard)

-- name: games_pending
SELECT DISTINCT g.name FROM erasures e JOIN games g USING (game_id) WHERE e.done_at IS NULL ORDER BY g.name

-- name: parts
SELECT game_id, part, parts FROM games WHERE name = $1 ORDER BY part

-- name: pending
SELECT epoch, shard, ms, seq, player, rebuild FROM erasures WHERE game_id = $1 AND done_at IS NULL ORDER BY epoch, ms, seq

-- name: lock_game
-- Two who rewrite the archive wait for each other.
SELECT game_id FROM games WHERE game_id = $1 FOR NO KEY UPDATE

-- name: candidates
-- Entries that may name a player: JSON that holds his id in quotes or has escapes, and whatever holds its bytes and is not JSON
-- or was refused, and so may be anything.
-- Entries that nothing was known of are archived under game 0.
SELECT game_id, epoch, shard, ms, seq, verdict, body FROM log
WHERE game_id IN ($1, 0) AND ($4::integer IS NULL OR shard = $4) AND length(body) > 0 AND (
    position('\x5c'::bytea IN body) > 0
    OR EXISTS (SELECT FROM unnest($2::bytea[]) quoted WHERE position(quoted IN body) > 0)
    OR ((get_byte(body, 0) >= 128 OR verdict = 2) AND EXISTS (SELECT FROM unnest($3::bytea[]) raw WHERE position(raw IN body) > 0))
)

-- name: emptied
-- Duplicates that were archived without their bodies, since somebody had been erased.
SELECT shard, ms, seq FROM log WHERE game_id = $1 AND verdict = 1 AND length(body) = 0

-- name: rewrite
UPDATE log l SET body = n.body, subject = n.subject
FROM unnest($1::integer[], $2::integer[], $3::integer[], $4::bigint[], $5::bigint[], $6::bytea[], $7::integer[])
    AS n (game_id, epoch, shard, ms, seq, body, subject)
WHERE (l.game_id, l.epoch, l.shard, l.ms, l.seq) = (n.game_id, n.epoch, n.shard, n.ms, n.seq)

-- name: dead_letters
SELECT dead_letter_id, epoch, shard, ms, seq, reason, body FROM dead_letters
WHERE (game = $1 OR game IS NULL) AND ($2::integer IS NULL OR shard = $2)

-- name: rewrite_dead_letters
UPDATE dead_letters d SET reason = n.reason, body = n.body
FROM unnest($1::bigint[], $2::text[], $3::bytea[]) AS n (dead_letter_id, reason, body)
WHERE d.dead_letter_id = n.dead_letter_id

-- name: rewritten
UPDATE erasures SET player = NULL, rebuild = rebuild OR $2
WHERE game_id = $1 AND (epoch, shard, ms, seq) IN (SELECT * FROM unnest($3::integer[], $4::integer[], $5::bigint[], $6::bigint[]))

-- name: done
-- Somebody may have been erased just while a generation was emptied.
WITH forgotten AS (
    DELETE FROM stand_ins s USING generations n
    WHERE n.generation_id = s.generation_id AND n.game_id = $1 AND n.status = 'dropped' AND n.reason = 'emptied'
)
UPDATE erasures SET done_at = now() WHERE game_id = $1 AND player IS NULL AND done_at IS NULL
