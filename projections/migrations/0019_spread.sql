-- A spread game is a row for each shard that it lives on: part p of so many parts is on shard p. Others are part 0 of 1.
ALTER TABLE games ADD COLUMN part integer NOT NULL DEFAULT 0, ADD COLUMN parts integer NOT NULL DEFAULT 1;
ALTER TABLE games ADD CONSTRAINT games_name_part_key UNIQUE (name, part);
ALTER TABLE games DROP CONSTRAINT games_name_key;

-- What is built together of the parts of a spread game names that of the first part. Those that parts begin with have none.
ALTER TABLE generations ADD COLUMN peer integer;
