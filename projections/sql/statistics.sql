-- Queries of a player's statistics on one board. Each answers for all his rounds at once.

-- name: rows
-- His rows of a period and of all rounds; the state only of those that are not ranked, where $6 asks for it.
SELECT r.ranking_id, r.period, s.prefix, s.extra, s.hidden, s.state
FROM rankings r
CROSS JOIN LATERAL (
    SELECT prefix, extra, hidden, CASE WHEN $6 AND coalesce(prefix, hidden) IS NULL THEN state END AS state
    FROM standings WHERE ranking_id = r.ranking_id AND player = (SELECT stored_as($1, $5)) LIMIT 1
) s
WHERE r.generation_id = $1 AND r.board = $2 AND r.segment = $3
    AND (r.period = $4 OR (r.period >= 'round:' AND r.period < 'round;'))

-- name: state
SELECT s.state FROM rankings r JOIN standings s ON s.ranking_id = r.ranking_id AND s.player = (SELECT stored_as($1, $5))
WHERE r.generation_id = $1 AND r.board = $2 AND r.segment = $3 AND r.period = $4

-- name: waiting
-- His picks on fixtures without a result, each with the fixture and when its round starts.
SELECT p.fixture, p.player, p.market, p.epoch, p.ms, p.seq, p.event, p.choice, p.stake, f.state,
    (SELECT min(o.starts_ms) FROM fixtures o WHERE o.generation_id = $1 AND o.round = f.round) AS first_ms
FROM fixtures f
CROSS JOIN LATERAL (
    SELECT * FROM picks WHERE generation_id = $1 AND fixture = f.fixture AND player = (SELECT stored_as($1, $2)) OFFSET 0
) p
WHERE f.generation_id = $1 AND f.revision = 0
ORDER BY p.fixture, p.market, p.epoch, p.ms, p.seq
