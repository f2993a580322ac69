"""Displays of a job, as lines and on a terminal."""

from __future__ import annotations

import io
import time
from collections.abc import Callable

import pytest
from rich.console import Console

from services.cli.adapters.display import PlainDisplay
from services.cli.adapters.live_display import LiveDisplay
from tests.support.cli_jobs import step

_L1, _L2 = "0123456789ab", "ba9876543210"


def test_plain_lines_say_what_changes() -> None:
    """Without a terminal a layer's status is said once, not with every byte."""
    said: list[str] = []
    display = PlainDisplay(said.append)
    for one in (
        step(1, "Pulling from p", "latest"),
        step(2, "Digest: sha256:d", ""),
        step(3, "Downloading", _L1, current=1, total=9),
        step(4, "Downloading", _L1, current=5, total=9),
        step(5, "Complete", _L1),
        step(6, "", "", made={"Digest": "sha256:d"}),
    ):
        display.show(one)
    display.note("a note")
    display.close()
    assert said == [
        "latest: Pulling from p",
        "Digest: sha256:d",
        f"{_L1}: Downloading",
        f"{_L1}: Complete",
        "a note",
    ]


def _screen(
    clock: Callable[[], float] = time.monotonic, width: int = 120
) -> tuple[LiveDisplay, io.StringIO]:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=width, color_system=None)
    return LiveDisplay(console, clock), written


def test_a_rate_is_that_of_the_whole_phase() -> None:
    """Steps that arrive at once make no rate; later it is what has moved since the first."""
    now_s = 100.0
    display, written = _screen(lambda: now_s)
    display.show(step(1, "Downloading", _L1, current=1_000_000, total=9_000_000))
    now_s += 0.001
    display.show(step(2, "Downloading", _L1, current=3_000_000, total=9_000_000))
    display.note("at once")
    assert "/s" not in written.getvalue()
    now_s = 102.0
    display.show(step(3, "Downloading", _L1, current=5_000_000, total=9_000_000))
    display.close()
    assert "2.0 MB/s" in written.getvalue().rsplit(_L1, 1)[1]


def test_a_terminal_has_a_row_per_layer() -> None:
    """A row shows a layer's last phase, with bytes while they are counted."""
    display, written = _screen()
    display.show(step(1, "Digest: sha256:d", ""))
    display.show(step(2, "Downloading", _L1, current=1_000_000, total=2_000_000))
    display.show(step(3, "Waiting", _L2))
    display.close()
    above, last = written.getvalue().rsplit(_L1, 1)
    assert "Digest: sha256:d" in above
    moving, waiting = last.splitlines()[:2]
    assert "Downloading" in moving
    assert "1.0/2.0 MB" in moving
    assert waiting.strip().startswith(f"{_L2} Waiting")
    assert "MB" not in waiting


@pytest.mark.parametrize(
    ("width", "has_bar", "has_rate"), [(80, True, True), (60, True, True), (40, False, False)]
)
def test_a_narrow_terminal_shows_the_numbers(width: int, has_bar: bool, has_rate: bool) -> None:
    """Layer, phase and bytes are whole: the bar gives way first, then the rate."""
    now_s = 0.0
    display, written = _screen(lambda: now_s, width)
    display.show(step(1, "Downloading", _L1, current=0, total=763_000_000))
    now_s = 2.0
    display.show(step(2, "Downloading", _L1, current=212_300_000, total=763_000_000))
    display.close()
    row = written.getvalue().rsplit(_L1, 1)[1].splitlines()[0]
    assert " Downloading " in row
    assert "212.3/763.0 MB" in row
    assert ("━" in row, "106.2 MB/s" in row) == (has_bar, has_rate)


def test_a_new_phase_begins_anew() -> None:
    """When a layer comes to its next phase, bytes of the one before are gone."""
    display, written = _screen()
    display.show(step(1, "Downloading", _L1, current=5, total=9))
    display.show(step(2, "Complete", _L1))
    display.note("[a note]")
    display.close()
    shown = written.getvalue()
    assert "[a note]" in shown
    last = shown.rsplit(_L1, 1)[1]
    assert "Complete" in last
    assert "bytes" not in last


def test_unpacking_beside_the_download() -> None:
    """A layer that is unpacked while it comes in is shown as coming in until it is there."""
    steps = [
        step(1, "Downloading", _L1, current=1, total=4),
        step(2, "Extracting", _L1, current=1, total=4),
        step(3, "Downloading", _L1, current=3, total=4),
        step(4, "Extracting", _L1, current=2, total=4),
        step(5, "Download complete", _L1),
        step(6, "Extracting", _L1, current=4, total=4),
    ]
    said: list[str] = []
    plain = PlainDisplay(said.append)
    live, written = _screen()
    for one in steps:
        plain.show(one)
    for one in steps[:4]:
        live.show(one)
    live.close()
    assert [line.partition(": ")[2] for line in said] == [
        "Downloading",
        "Download complete",
        "Extracting",
    ]
    last = written.getvalue().rsplit(_L1, 1)[1]
    assert "Downloading" in last
    assert "3/4 bytes" in last
