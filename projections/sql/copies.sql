-- What boards need whose rankings have copies.

-- name: rows_of_boards
SELECT s.ranking_id, r.board, r.period, r.segment, s.player, s.prefix, s.extra, s.state, s.since, s.hidden
FROM unnest($2::text[], $3::text[]) AS wanted (board, period)
JOIN rankings r ON r.generation_id = $1 AND r.board = wanted.board AND r.period = wanted.period
JOIN standings s ON s.ranking_id = r.ranking_id

-- name: attributes
SELECT player, attributes FROM players WHERE generation_id = $1 AND player = ANY ($2::text[])
