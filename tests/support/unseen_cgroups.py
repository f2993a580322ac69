"""Hierarchies of cgroups that the kernel has and nobody has mounted here: systemd mounts some."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

#: In a mount namespace of its own: whoever saw the hierarchy would begin to use it.
_SWEEP: Final = """
mount -t cgroup -o "$1" cgroup /mnt
shift
for cgroup; do
    [ ! -d "/mnt$cgroup" ] || find "/mnt$cgroup" -depth -type d -exec rmdir {} \\;
done
rmdir --ignore-fail-on-non-empty /mnt/wherry 2>/dev/null || true
"""


def hierarchies() -> frozenset[str]:
    """Return the controllers of each hierarchy of version 1 that is not mounted."""
    lines = (line.split(":") for line in Path("/proc/self/cgroup").read_text().splitlines())
    there = {controllers for number, controllers, _ in lines if number != "0"}
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    options = [set(line.split()[-1].split(",")) for line in mounts if " - cgroup " in line]
    return frozenset(one for one in there if not any(set(one.split(",")) <= o for o in options))


def removed(cgroups: tuple[str, ...], before: frozenset[str]) -> bool:
    """Remove these cgroups in hierarchies that were not there *before*; tell whether those went.

    The kernel drops a hierarchy with its last mount, a moment after its last cgroup: try again.
    """
    new = hierarchies() - before
    for controllers in new:
        argv = ("unshare", "--mount", "sh", "-euc", _SWEEP, "sweep", controllers, *cgroups)
        subprocess.run(argv, check=True, timeout=30)
    return not new
