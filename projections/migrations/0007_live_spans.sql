-- What was displayed when: which generation of a game was live from which version of its shard's publications on. A
-- generation whose rows are gone leaves a span without one. kept_from is the oldest version that can still be asked for.

CREATE TABLE live_spans (
    game_id       integer NOT NULL REFERENCES games,
    generation_id integer,
    from_version  bigint NOT NULL,
    to_version    bigint,
    PRIMARY KEY (game_id, from_version)
);
ALTER TABLE shards ADD COLUMN kept_from bigint NOT NULL DEFAULT 0;

-- Nobody wrote down when earlier generations were live, so what games that have had others displayed is known from now on.
INSERT INTO live_spans (game_id, generation_id, from_version)
SELECT g.game_id, g.live_generation, CASE WHEN old.had THEN s.version ELSE 0 END
FROM games g
JOIN shards s ON s.shard = g.shard
CROSS JOIN LATERAL (
    SELECT EXISTS (SELECT FROM generations n WHERE n.game_id = g.game_id AND n.status = 'retired') AS had
) old
WHERE g.live_generation IS NOT NULL;
INSERT INTO live_spans (game_id, generation_id, from_version, to_version)
SELECT game_id, NULL, 0, from_version FROM live_spans WHERE from_version > 0;

-- The version in which a ranking was made.
ALTER TABLE rankings ADD COLUMN since bigint NOT NULL DEFAULT 0;

-- A ranking as it was displayed in a version. Player ids have to be compared with COLLATE "C", as everywhere.
CREATE FUNCTION standings_at(ranking integer, at bigint)
RETURNS TABLE (ranking_id integer, player text, prefix bytea, extra bytea, hidden bytea)
LANGUAGE sql STABLE AS $$
    SELECT s.ranking_id, s.player, s.prefix, s.extra, s.hidden
    FROM standings s WHERE s.ranking_id = ranking AND s.since <= at
    UNION ALL
    SELECT h.ranking_id, h.player, h.prefix, h.extra, h.hidden
    FROM standings_history h WHERE h.ranking_id = ranking AND h.from_version <= at AND h.to_version > at
$$;
