-- The sort key of a player who is ranked but not shown. prefix is NULL then, so whatever lists a ranking passes him over.

ALTER TABLE standings ADD COLUMN hidden bytea;
ALTER TABLE standings_history ADD COLUMN hidden bytea;
