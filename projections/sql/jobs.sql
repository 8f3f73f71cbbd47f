-- Queries of jobs.

-- name: forget
DELETE FROM jobs WHERE heartbeat < now() - $1::interval

-- name: new
INSERT INTO jobs (job_id, game, kind) VALUES ($1, $2, $3)

-- name: beat
UPDATE jobs SET done = $2, total = $3, heartbeat = now() WHERE job_id = $1 AND state = 'running'

-- name: finish
UPDATE jobs SET state = 'done', result = $2, done = greatest(done, total), heartbeat = now() WHERE job_id = $1

-- name: fail
UPDATE jobs SET state = 'failed', error = $2, heartbeat = now() WHERE job_id = $1

-- name: find
SELECT job_id, game, kind, state, done, total, result, error, created_at, now() - heartbeat > $2::interval AS silent
FROM jobs WHERE job_id = $1

-- name: running
SELECT job_id FROM jobs WHERE game = $1 AND kind = $2 AND state = 'running' AND now() - heartbeat <= $3::interval
ORDER BY created_at DESC LIMIT 1
