"""SQLite as an owner's database: one writer, committed to disk before anyone is told."""

from __future__ import annotations

from shared.sqlite.database import Database

__all__ = ["Database"]
