"""When the unmounting of a volume ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.volume.adapters import mounts
from shared import errdefs

_PLACE = Path("/volumes/a/_data")


class _Kernel:
    """Has so many mounts at a place, some of which no unmount reaches."""

    def __init__(self, reached: int, hidden: int = 0) -> None:
        self.reached = reached
        self.hidden = hidden
        self.unmounts = 0

    def count(self, _place: Path) -> int:
        """Return how many are listed."""
        return self.reached + self.hidden

    def unmount(self, _place: Path) -> None:
        """Take the one on top away, if that can be reached."""
        self.unmounts += 1
        self.reached = max(0, self.reached - 1)


@pytest.mark.parametrize("reached", [0, 1, 3])
def test_all_that_is_mounted_is_unmounted(reached: int) -> None:
    """Each round takes one away, and no round is made for nothing."""
    kernel = _Kernel(reached)
    mounts.unmount_all(_PLACE, count=kernel.count, unmount=kernel.unmount)
    assert (kernel.reached, kernel.unmounts) == (0, reached)


def test_a_round_that_changes_nothing_is_the_last() -> None:
    """What stays listed after an unmount is told, and not tried for ever."""
    kernel = _Kernel(2, hidden=1)
    with pytest.raises(errdefs.Conflict, match="cannot be reached"):
        mounts.unmount_all(_PLACE, count=kernel.count, unmount=kernel.unmount)
    assert kernel.unmounts == 3
