-- API keys. A token is shown once and never stored: digest is its BLAKE2b hash, key_id the part of it that finds the row.
-- game is a name, because a key may be there before its game; null means every game.

CREATE TABLE api_keys (
    key_id     text COLLATE "C" PRIMARY KEY,
    digest     bytea NOT NULL,
    game       text COLLATE "C",
    scopes     text[] NOT NULL,
    label      text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz
);
