-- Queries of leases: who is alive, who holds which shard, and taking, renewing and giving back.

-- name: announce
-- A turn that freezes from here on is ended by PostgreSQL: it holds rows that others are about to take or to delete.
WITH gone AS (DELETE FROM consumers WHERE until < now() - interval '1 minute' AND owner <> $1)
INSERT INTO consumers (owner, shards, until) VALUES ($1, $2, now() + $3 * interval '1 second')
ON CONFLICT (owner) DO UPDATE SET shards = excluded.shards, until = excluded.until
RETURNING set_config('idle_in_transaction_session_timeout', '5s', true)

-- name: renew
UPDATE leases SET until = now() + $3 * interval '1 second' WHERE owner = $1 AND shard = ANY ($2::integer[])
RETURNING shard

-- name: members
SELECT owner, shards FROM consumers WHERE until > now()

-- name: holders
SELECT shard, owner FROM leases WHERE until > now()

-- name: take
INSERT INTO leases (shard, owner, until)
SELECT shard, $1, now() + $3 * interval '1 second' FROM unnest($2::integer[]) AS wanted (shard) ORDER BY shard
ON CONFLICT (shard) DO UPDATE SET owner = excluded.owner, until = excluded.until
WHERE leases.owner = excluded.owner OR leases.until < now()
RETURNING shard

-- name: release
DELETE FROM leases WHERE shard = $2 AND owner = $1

-- name: leave
DELETE FROM consumers WHERE owner = $1

-- name: holding_up
-- Backends that others wait for while they themselves wait for their client in the midst of a statement: what they are at, and
-- how far a COPY is. Between two statements it is the transaction's own time limit that ends them.
SELECT DISTINCT a.pid, a.query_start, copying.bytes_processed
FROM pg_stat_activity held
CROSS JOIN LATERAL unnest(pg_blocking_pids(held.pid)) AS holder (pid)
JOIN pg_stat_activity a ON a.pid = holder.pid AND a.usename = current_user AND a.state = 'active' AND a.wait_event_type = 'Client'
LEFT JOIN pg_stat_progress_copy copying ON copying.pid = a.pid
WHERE held.datname = current_database() AND held.wait_event_type = 'Lock'

-- name: end_backend
SELECT pg_terminate_backend($1)
