-- How many shards the log has, epoch by epoch. opened_at is when the log's Redis was told of the epoch: null while a change of
-- the number of shards is under way.

CREATE TABLE epochs (
    epoch     integer PRIMARY KEY,
    shards    integer NOT NULL,
    began_at  timestamptz NOT NULL DEFAULT now(),
    opened_at timestamptz
);

-- The shard that a game lived on while its versions were in [from_version, to_version). Versions of all shards go on from the same
-- number when an epoch begins, so that those of a game never go back.
CREATE TABLE homes (
    game_id      integer NOT NULL REFERENCES games,
    from_version bigint NOT NULL,
    to_version   bigint,
    shard        integer NOT NULL,
    PRIMARY KEY (game_id, from_version)
);
INSERT INTO homes (game_id, from_version, shard) SELECT game_id, 0, shard FROM games;

-- The publications that a game was part of, wherever it lived.
CREATE VIEW game_publications AS
SELECT h.game_id, p.shard, p.version, p.epoch, p.ms, p.seq, p.committed_at
FROM homes h
JOIN publications p ON p.shard = h.shard AND p.version >= h.from_version
    AND (h.to_version IS NULL OR p.version < h.to_version);
