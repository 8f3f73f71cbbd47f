-- Generations that follow the log no longer go on holding under his id who was erased since: they may have to fold what came
-- before the erasing event. Readers who are shown one, such as those of a frozen board, are shown the surrogate.

CREATE TABLE stand_ins (
    generation_id integer NOT NULL,
    player        text COLLATE "C" NOT NULL,
    surrogate     text COLLATE "C" NOT NULL,
    PRIMARY KEY (generation_id, player)
);

-- Whoever is waiting for `rankfold erase`. An id may have been erased more than once; what is held is of the first one.
INSERT INTO stand_ins (generation_id, player, surrogate)
SELECT DISTINCT ON (n.generation_id, e.player) n.generation_id, e.player,
    format('erased-%s.%s.%s-%s', e.epoch, e.shard, e.ms, e.seq)
FROM erasures e JOIN generations n USING (game_id)
WHERE e.player IS NOT NULL AND n.status NOT IN ('live', 'shadow')
    AND (e.epoch, e.ms, e.seq) > (n.folded_epoch, n.folded_ms, n.folded_seq)
    AND EXISTS (SELECT FROM live_spans s WHERE s.generation_id = n.generation_id)
ORDER BY n.generation_id, e.player, e.epoch, e.ms, e.seq;

-- The id under which a generation holds a player; NULL when that is the id of somebody who was erased.
CREATE FUNCTION stored_as(generation integer, who text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        (SELECT n.player FROM stand_ins n WHERE n.generation_id = generation AND n.surrogate = who),
        CASE WHEN NOT EXISTS (SELECT FROM stand_ins n WHERE n.generation_id = generation AND n.player = who) THEN who END
    )
$$;

-- A ranking as it was displayed in a version, without the ids of who was erased since. Player ids have to be compared with
-- COLLATE "C", as everywhere.
CREATE OR REPLACE FUNCTION standings_at(ranking integer, at bigint)
RETURNS TABLE (ranking_id integer, player text, prefix bytea, extra bytea, hidden bytea)
LANGUAGE sql STABLE AS $$
    SELECT s.ranking_id, s.player, s.prefix, s.extra, s.hidden
    FROM standings s
    WHERE s.ranking_id = ranking AND s.since <= at AND NOT EXISTS (
        SELECT FROM rankings r JOIN stand_ins n USING (generation_id) WHERE r.ranking_id = ranking AND n.player = s.player
    )
    UNION ALL
    SELECT h.ranking_id, h.player, h.prefix, h.extra, h.hidden
    FROM standings_history h
    WHERE h.ranking_id = ranking AND h.from_version <= at AND h.to_version > at AND NOT EXISTS (
        SELECT FROM rankings r JOIN stand_ins n USING (generation_id) WHERE r.ranking_id = ranking AND n.player = h.player
    )
    UNION ALL
    SELECT s.ranking_id, n.surrogate, s.prefix, s.extra, s.hidden
    FROM rankings r
    JOIN stand_ins n USING (generation_id)
    JOIN standings s ON s.ranking_id = r.ranking_id AND s.player = n.player
    WHERE r.ranking_id = ranking AND s.since <= at
    UNION ALL
    SELECT h.ranking_id, n.surrogate, h.prefix, h.extra, h.hidden
    FROM rankings r
    JOIN stand_ins n USING (generation_id)
    JOIN standings_history h ON h.ranking_id = r.ranking_id AND h.player = n.player
    WHERE r.ranking_id = ranking AND h.from_version <= at AND h.to_version > at
$$;
