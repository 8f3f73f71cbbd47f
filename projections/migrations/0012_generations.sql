-- Generations beside the live one: shadows that follow the log with it, builds that go on after a kill, retired ones that can
-- come back. Up to which entry one holds the log is (folded_epoch, folded_ms, folded_seq), and folded_events how many events of
-- the game that were, out of events_known; those that follow (live, shadow) are where their shard is. status: building, shadow,
-- live, retired, failed (it broke on an event, see reason), dropped. retired_at tells since when one that was live is not.

ALTER TABLE generations
    ADD COLUMN name text COLLATE "C",
    ADD COLUMN folded_epoch integer NOT NULL DEFAULT 0,
    ADD COLUMN folded_events bigint NOT NULL DEFAULT 0,
    ADD COLUMN events_known bigint NOT NULL DEFAULT 0,
    ADD COLUMN retired_at timestamptz,
    ADD COLUMN reason text,
    DROP CONSTRAINT generations_status_check,
    ADD CONSTRAINT generations_status_check
        CHECK (status IN ('building', 'shadow', 'live', 'retired', 'failed', 'dropped'));
CREATE INDEX generations_following ON generations (game_id) WHERE status IN ('live', 'shadow');

-- Where these stopped was not written down, so they cannot go on.
UPDATE generations SET status = 'failed', reason = 'stopped before fold positions were kept'
WHERE status IN ('building', 'retired');
