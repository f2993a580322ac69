-- W3C trace context of what a revision is about; empty where that was not recorded.
ALTER TABLE outbox ADD COLUMN traceparent TEXT NOT NULL DEFAULT '';
