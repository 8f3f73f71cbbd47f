-- Who was erased, and what is left to do. player is the id that he had, kept only until no archived event names him; rebuild
-- says that the rows must then be folded anew; done_at is when nothing was left to do.

CREATE TABLE erasures (
    game_id     integer NOT NULL REFERENCES games,
    epoch       integer NOT NULL,
    shard       integer NOT NULL,
    ms          bigint NOT NULL,
    seq         bigint NOT NULL,
    player      text COLLATE "C",
    rebuild     boolean NOT NULL DEFAULT false,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    done_at     timestamptz,
    PRIMARY KEY (game_id, epoch, shard, ms, seq)
);
