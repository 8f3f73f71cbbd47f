-- Stretches of the archive that were written to files: which games they have entries of, and what the files hold (SHA-256 of the
-- lines). dropped_at is when the entries left the database; null while they are there, too.
CREATE TABLE cold (
    name        text PRIMARY KEY,
    from_ms     bigint NOT NULL,
    to_ms       bigint NOT NULL,
    games       integer[] NOT NULL,
    entries     bigint NOT NULL,
    sha256      bytea NOT NULL,
    exported_at timestamptz NOT NULL DEFAULT now(),
    dropped_at  timestamptz
);

-- Whom and what the events of dropped stretches are about, so that a correction that needs them is refused and not half done.
CREATE TABLE cold_subjects (
    game_id integer NOT NULL,
    subject integer NOT NULL,
    name    text NOT NULL REFERENCES cold ON DELETE CASCADE,
    PRIMARY KEY (game_id, subject, name)
);
