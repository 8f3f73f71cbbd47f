-- Queries of leases: who is alive, who holds which shard, and taking, renewing and giving back.

-- name: announce
WITH gone AS (DELETE FROM consumers WHERE until < now() - interval '1 minute' AND owner <> $1)
INSERT INTO consumers (owner, shards, until) VALUES ($1, $2, now() + $3 * interval '1 second')
ON CONFLICT (owner) DO UPDATE SET shards = excluded.shards, until = excluded.until

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
