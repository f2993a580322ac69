-- record: services.store.domain.job.JobRecord as JSON; state and name are lifted out, because a
-- name, and so a plugin, has at most one job that is not over.
CREATE TABLE jobs (
    job_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at_ns INTEGER NOT NULL,
    record TEXT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX jobs_live_name ON jobs (name) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_by_time ON jobs (created_at_ns);
