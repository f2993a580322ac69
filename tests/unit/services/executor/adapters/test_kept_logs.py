"""Of deleted containers, a bounded part of the output is kept."""

from __future__ import annotations

from pathlib import Path

from services.executor.adapters.kept_logs import KeptLogs
from services.executor.domain.record import Record

_LINE = b"2026-01-01T00:00:00.0Z stdout F %0990d\n"


def record(number: int, log_name: str = "log") -> Record:
    """Return a container of the log."""
    return Record(
        container_id=f"c-{number}", socket_dir="/s", log_name=log_name, started_at_ns=number
    )


def test_the_end_of_the_output(tmp_path: Path) -> None:
    """The last mebibyte is kept, over both files and from the beginning of a line on."""
    kept = KeptLogs(root=tmp_path / "output")
    older, newest = tmp_path / "log.1", tmp_path / "log"
    older.write_bytes(b"".join(_LINE % number for number in range(2000)))
    newest.write_bytes(b"".join(_LINE % number for number in range(2000, 2010)))

    kept.keep(record(1), older, newest)

    lines = kept.path(record(1)).read_bytes().splitlines(keepends=True)
    assert (1 << 20) - len(_LINE % 0) < sum(map(len, lines)) <= 1 << 20
    assert lines == [_LINE % number for number in range(2010 - len(lines), 2010)]


def test_the_last_containers(tmp_path: Path) -> None:
    """The newest containers are kept, oldest first; the files of others are deleted."""
    kept = KeptLogs(root=tmp_path / "output")
    output = tmp_path / "log"
    output.write_bytes(_LINE % 1)
    for number in range(12):
        kept.keep(record(number), output)
        kept.keep(record(number), output)  # a deletion that is repeated
    assert [one.container_id for one in kept.records("log")] == [f"c-{n}" for n in range(4, 12)]
    assert len(list((tmp_path / "output" / "log").iterdir())) == 16


def test_deleted(tmp_path: Path) -> None:
    """A log that is deleted leaves nothing; deleting it again is fine."""
    kept = KeptLogs(root=tmp_path / "output")
    (tmp_path / "log").write_bytes(_LINE % 1)
    kept.keep(record(1), tmp_path / "log")
    kept.delete("log")
    kept.delete("log")
    assert list((tmp_path / "output").iterdir()) == []


def test_a_log_without_a_name(tmp_path: Path) -> None:
    """Of a container whose log has no name nothing is kept."""
    kept = KeptLogs(root=tmp_path / "output")
    (tmp_path / "log").write_bytes(_LINE % 1)
    kept.keep(record(1, log_name=""), tmp_path / "log")
    assert not (tmp_path / "output").exists()


def test_a_container_that_wrote_nothing(tmp_path: Path) -> None:
    """Nothing is kept of a container without output."""
    kept = KeptLogs(root=tmp_path / "output")
    kept.keep(record(1), tmp_path / "log.1", tmp_path / "log")
    assert kept.records("log") == []
