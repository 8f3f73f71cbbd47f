-- When something was last said of a player, and of any player of a shard, as versions of the shard's publications: so that
-- readers who remember names notice which of them are others now.

ALTER TABLE players ADD COLUMN version bigint NOT NULL DEFAULT 0;
CREATE INDEX players_changed ON players (generation_id, version);
ALTER TABLE shards ADD COLUMN profiles bigint NOT NULL DEFAULT 0;
UPDATE shards SET profiles = version WHERE EXISTS (SELECT FROM players);
