-- What readers are not shown any more, from the version of the freeze until that of the thaw. An empty board or period stands for
-- every one. ended_at is when the thaw was committed.

CREATE TABLE freezes (
    game_id      integer NOT NULL REFERENCES games,
    board        text COLLATE "C" NOT NULL,
    period       text COLLATE "C" NOT NULL,
    from_version bigint NOT NULL,
    epoch        integer NOT NULL,
    shard        integer NOT NULL,
    ms           bigint NOT NULL,
    seq          bigint NOT NULL,
    to_version   bigint,
    until_epoch  integer,
    until_shard  integer,
    until_ms     bigint,
    until_seq    bigint,
    ended_at     timestamptz,
    PRIMARY KEY (game_id, board, period, from_version)
);
CREATE UNIQUE INDEX freezes_active ON freezes (game_id, board, period) WHERE to_version IS NULL;

-- Periods that are final in a generation: the events that closed them and were not taken back.
CREATE TABLE closes (
    generation_id integer NOT NULL,
    board         text COLLATE "C" NOT NULL,
    period        text COLLATE "C" NOT NULL,
    epoch         integer NOT NULL,
    shard         integer NOT NULL,
    ms            bigint NOT NULL,
    seq           bigint NOT NULL,
    PRIMARY KEY (generation_id, board, period)
);
