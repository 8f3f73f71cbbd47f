-- Long work that an API process does for a client, who asks how far it is. state: running, done, failed. A job whose heartbeat is
-- old has lost its process. Rows are deleted an hour after their last word.

CREATE TABLE jobs (
    job_id     text COLLATE "C" PRIMARY KEY,
    game       text COLLATE "C" NOT NULL,
    kind       text NOT NULL,
    state      text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'failed')),
    done       bigint NOT NULL DEFAULT 0,
    total      bigint NOT NULL DEFAULT 0,
    result     bytea,
    error      text,
    heartbeat  timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now()
);
