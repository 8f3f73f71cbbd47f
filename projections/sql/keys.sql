-- API keys: made, listed and revoked by the command line, looked up by the API.

-- name: create
INSERT INTO api_keys (key_id, digest, game, scopes, label, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
RETURNING key_id, digest, game, scopes, label, created_at, expires_at, revoked_at

-- name: find
SELECT key_id, digest, game, scopes, label, created_at, expires_at, revoked_at FROM api_keys WHERE key_id = $1

-- name: list
SELECT key_id, digest, game, scopes, label, created_at, expires_at, revoked_at FROM api_keys
WHERE ($1::text IS NULL OR game IS NULL OR game = $1) AND ($2 OR revoked_at IS NULL)
ORDER BY created_at, key_id

-- name: revoke
UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE key_id = $1
RETURNING key_id, digest, game, scopes, label, created_at, expires_at, revoked_at
