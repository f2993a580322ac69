-- Facts come from several services; the newest epoch is each one's own.
ALTER TABLE positions ADD COLUMN source TEXT NOT NULL DEFAULT 'store';
