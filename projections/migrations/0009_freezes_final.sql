-- A close is a freeze for good: what is shown is final, for officials too.

ALTER TABLE freezes ADD COLUMN final boolean NOT NULL DEFAULT false;
DROP INDEX freezes_active;
CREATE UNIQUE INDEX freezes_active ON freezes (game_id, board, period, final) WHERE to_version IS NULL;
