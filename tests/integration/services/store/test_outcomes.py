"""What became of the commands of an Idempotency-Key, on a real file."""

from __future__ import annotations

from pathlib import Path

from services.store.adapters.records import MIGRATIONS as STORE
from services.volume.adapters.records import MIGRATIONS as VOLUME
from shared.idempotency.once import Outcome
from shared.idempotency.outcomes import SqliteOutcomes
from shared.sqlite import Database

_DAY_NS = 24 * 3600 * 10**9


async def _kept(path: Path, migrations: Path) -> None:
    now_ns = 0
    database = Database(path, migrations)
    await database.open()
    outcomes = SqliteOutcomes(database, lambda: now_ns)
    assert await outcomes.begin("m", "one") == Outcome(asked="one")
    assert await outcomes.begin("m", "other") == Outcome(asked="one")
    refused = Outcome(asked="one", error={"code": "conflict", "message": "é", "detail": {}})
    await outcomes.end("m", refused)
    await database.close()

    database = Database(path, migrations)
    await database.open()
    outcomes = SqliteOutcomes(database, lambda: now_ns)
    assert await outcomes.begin("m", "one") == refused
    now_ns = _DAY_NS + 1
    assert await outcomes.begin("m", "new") == Outcome(asked="new")
    await database.close()


async def test_outcomes_outlive_the_store(tmp_path: Path) -> None:
    """An outcome is found by another process, for a day."""
    await _kept(tmp_path / "store.db", STORE)


async def test_outcomes_outlive_the_volume_service(tmp_path: Path) -> None:
    """The volume service's database keeps them as well."""
    await _kept(tmp_path / "volume.db", VOLUME)
