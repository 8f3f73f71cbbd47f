-- The archive of the log, the projections folded from it, and who has read how far.
-- Player ids compare bytewise everywhere ("C"), as the rankings do.

CREATE TABLE games (
    game_id         integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name            text COLLATE "C" NOT NULL UNIQUE,
    shard           integer NOT NULL,
    live_generation integer,
    created_at      timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE rulesets (
    game_id     integer NOT NULL REFERENCES games,
    version     integer NOT NULL,
    mode        text NOT NULL,
    text        text NOT NULL,
    position    text NOT NULL,
    recorded_ms bigint NOT NULL,
    PRIMARY KEY (game_id, version)
);

-- One complete build of a game's projections. status: building, live, retired, failed. clock_ms is the game's clock when it
-- last came to another local day, in games with boards that go by it.
CREATE TABLE generations (
    generation_id   integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    game_id         integer NOT NULL REFERENCES games,
    ruleset_version integer NOT NULL,
    status          text NOT NULL CHECK (status IN ('building', 'live', 'retired', 'failed')),
    folded_ms       bigint NOT NULL DEFAULT 0,
    folded_seq      bigint NOT NULL DEFAULT 0,
    clock_ms        bigint,
    created_at      timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (game_id, ruleset_version) REFERENCES rulesets (game_id, version)
);
CREATE UNIQUE INDEX generations_live ON generations (game_id) WHERE status = 'live';
ALTER TABLE games ADD FOREIGN KEY (live_generation) REFERENCES generations;

-- One copy of a board: (generation, board, period, segment). version is that of the last publication that changed it.
CREATE TABLE rankings (
    ranking_id    integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    generation_id integer NOT NULL REFERENCES generations,
    board         text COLLATE "C" NOT NULL,
    period        text COLLATE "C" NOT NULL,
    segment       text COLLATE "C" NOT NULL DEFAULT '',
    version       bigint NOT NULL,
    UNIQUE (generation_id, board, period, segment)
);

-- A player's state and place in one ranking. prefix is the sort key without the player id, NULL while he is not ranked;
-- extra holds the metrics that the sort key does not; state is what the fold needs to go on.
CREATE TABLE standings (
    ranking_id integer NOT NULL,
    player     text COLLATE "C" NOT NULL,
    prefix     bytea,
    extra      bytea NOT NULL,
    state      bytea NOT NULL,
    since      bigint NOT NULL,
    PRIMARY KEY (ranking_id, player)
) WITH (fillfactor = 70);

-- When places change although no event comes (epoch milliseconds): a row for each that will.
CREATE TABLE dues (
    ranking_id integer NOT NULL,
    player     text COLLATE "C" NOT NULL,
    due        bigint NOT NULL,
    PRIMARY KEY (ranking_id, player)
);
CREATE INDEX dues_due ON dues (ranking_id, due);

-- What was shown before: one row for every stretch [from_version, to_version) in which a place did not change.
CREATE TABLE standings_history (
    ranking_id   integer NOT NULL,
    player       text COLLATE "C" NOT NULL,
    prefix       bytea,
    extra        bytea NOT NULL,
    from_version bigint NOT NULL,
    to_version   bigint NOT NULL
);
CREATE INDEX standings_history_player ON standings_history (ranking_id, player, to_version);

-- Profiles and sanctions, as the log tells them. status: active, hidden, banned, erased. joined_ms is when the first pick of
-- a player was recorded, kept for games that ask who took part.
CREATE TABLE players (
    generation_id integer NOT NULL,
    player        text COLLATE "C" NOT NULL,
    name          text,
    attributes    jsonb NOT NULL DEFAULT '{}',
    status        text NOT NULL DEFAULT 'active',
    joined_ms     bigint,
    PRIMARY KEY (generation_id, player)
);
CREATE INDEX players_sanctioned ON players (generation_id) WHERE status <> 'active';

-- What the fold must remember of a contest: the fixture as planned and the result that holds. round is JSON, since round 7
-- and round "7" are two.
CREATE TABLE fixtures (
    generation_id integer NOT NULL,
    fixture       text COLLATE "C" NOT NULL,
    revision      integer NOT NULL,
    round         text COLLATE "C",
    starts_ms     bigint,
    state         bytea NOT NULL,
    PRIMARY KEY (generation_id, fixture)
);
CREATE INDEX fixtures_round ON fixtures (generation_id, round);

-- Every accepted pick. The last one of a player, fixture and market that was recorded before the lock counts. market is empty
-- for picks without one; choice is a JSON array.
CREATE TABLE picks (
    generation_id integer NOT NULL,
    fixture       text COLLATE "C" NOT NULL,
    player        text COLLATE "C" NOT NULL,
    market        text COLLATE "C" NOT NULL,
    epoch         integer NOT NULL,
    ms            bigint NOT NULL,
    seq           bigint NOT NULL,
    event         text COLLATE "C" NOT NULL,
    choice        text NOT NULL,
    stake         text,
    PRIMARY KEY (generation_id, fixture, player, market, epoch, ms, seq)
);

-- Events that were accepted and do not count, and why: late picks, unknown fixtures, conflicting revisions and the like.
CREATE TABLE rejections (
    generation_id integer NOT NULL,
    epoch         integer NOT NULL,
    shard         integer NOT NULL,
    ms            bigint NOT NULL,
    seq           bigint NOT NULL,
    event         text COLLATE "C" NOT NULL,
    player        text COLLATE "C",
    field         text NOT NULL,
    reason        text NOT NULL,
    PRIMARY KEY (generation_id, epoch, ms, seq, shard)
);
CREATE INDEX rejections_player ON rejections (generation_id, player, epoch, ms, seq);

-- Badges, each awarded once in a board's period: the event that earned it. ms is when that was recorded.
CREATE TABLE badges (
    generation_id integer NOT NULL,
    board         text COLLATE "C" NOT NULL,
    period        text COLLATE "C" NOT NULL,
    player        text COLLATE "C" NOT NULL,
    badge         text COLLATE "C" NOT NULL,
    epoch         integer NOT NULL,
    shard         integer NOT NULL,
    ms            bigint NOT NULL,
    seq           bigint NOT NULL,
    occurred_ms   bigint NOT NULL,
    PRIMARY KEY (generation_id, player, board, period, badge)
);

-- Events that do not count, by their ids, whether they have come already or not.
CREATE TABLE voids (
    generation_id integer NOT NULL,
    event         text COLLATE "C" NOT NULL,
    PRIMARY KEY (generation_id, event)
);

-- The archive: every entry of the log with its ingest verdict. 0 accepted, 1 duplicate, 2 refused (see dead_letters).
-- subject is a hash of the player whose marks an event gives, or of the fixture whose result it is: corrections ask for those.
CREATE TABLE log (
    game_id integer NOT NULL,
    epoch   integer NOT NULL,
    shard   integer NOT NULL,
    ms      bigint NOT NULL,
    seq     bigint NOT NULL,
    verdict smallint NOT NULL,
    subject integer,
    body    bytea NOT NULL,
    PRIMARY KEY (game_id, epoch, shard, ms, seq)
) PARTITION BY RANGE (ms);
CREATE INDEX log_subject ON log (game_id, subject) WHERE subject IS NOT NULL;
ALTER TABLE log ALTER COLUMN body SET STORAGE MAIN;

-- Event ids for the life of a game: PostgreSQL cannot keep an id unique across time partitions.
CREATE TABLE event_ids (
    game_id   integer NOT NULL,
    id_hash   bytea NOT NULL,
    body_hash bytea NOT NULL,
    epoch     integer NOT NULL,
    shard     integer NOT NULL,
    ms        bigint NOT NULL,
    seq       bigint NOT NULL,
    PRIMARY KEY (game_id, id_hash)
);

CREATE TABLE dead_letters (
    dead_letter_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    game           text COLLATE "C",
    epoch          integer NOT NULL,
    shard          integer NOT NULL,
    ms             bigint NOT NULL,
    seq            bigint NOT NULL,
    field          text NOT NULL,
    reason         text NOT NULL,
    body           bytea NOT NULL,
    status         text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'retried')),
    created_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (epoch, shard, ms, seq)
);
CREATE INDEX dead_letters_game ON dead_letters (game, dead_letter_id);

-- How far each shard is archived and folded. version counts publications; catalog counts changes that oblige the
-- writer to forget what it knows (a swap of generations). ms and seq are those of the last entry of the last batch.
CREATE TABLE shards (
    shard       integer PRIMARY KEY,
    epoch       integer NOT NULL,
    ms          bigint NOT NULL,
    seq         bigint NOT NULL,
    version     bigint NOT NULL,
    catalog     bigint NOT NULL
);

-- Who folds a shard at present, so that nobody else does the same work in vain. Not in the table above, whose row the
-- writer's transaction locks.
CREATE TABLE leases (
    shard integer PRIMARY KEY,
    owner text NOT NULL,
    until timestamptz NOT NULL
);

-- What was displayed when: one row for every committed batch.
CREATE TABLE publications (
    shard        integer NOT NULL,
    version      bigint NOT NULL,
    epoch        integer NOT NULL,
    ms           bigint NOT NULL,
    seq          bigint NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (shard, version)
);
CREATE INDEX publications_time ON publications (shard, committed_at);
