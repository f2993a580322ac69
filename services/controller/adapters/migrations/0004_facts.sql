-- What a revision tells the event feed, as JSON.
ALTER TABLE outbox ADD COLUMN facts TEXT NOT NULL DEFAULT '[]';
