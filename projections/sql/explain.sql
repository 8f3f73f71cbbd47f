-- Queries of explanations. What the archive says is asked for with those of corrections (past.sql).

-- name: row
-- A player's row in ranking $1, with the state that it follows from: that of segment $5 of the board.
SELECT s.prefix, s.hidden, s.extra, s.since, h.state, g.clock_ms, p.status
FROM standings s
JOIN generations g ON g.generation_id = $2
LEFT JOIN players p ON p.generation_id = $2 AND p.player = s.player
LEFT JOIN rankings r ON r.generation_id = $2 AND r.board = $3 AND r.period = $4 AND r.segment = $5
LEFT JOIN standings h ON h.ranking_id = r.ranking_id AND h.player = s.player
WHERE s.ranking_id = $1 AND s.player = (SELECT stored_as($2, $6))

-- name: has_row
SELECT EXISTS (SELECT FROM standings WHERE ranking_id = $1 AND player = (SELECT stored_as($2, $3)))
