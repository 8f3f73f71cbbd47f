-- The consumer processes that are alive, and which shards each of them may take: leases are shared out among them.

CREATE TABLE consumers (
    owner  text PRIMARY KEY,
    shards integer[] NOT NULL,
    until  timestamptz NOT NULL
);
