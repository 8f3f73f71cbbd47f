-- The oldest version of a game that can still be asked for, from the shards that it has left; that of its present shard counts, too.

ALTER TABLE games ADD COLUMN kept_from bigint NOT NULL DEFAULT 0;
