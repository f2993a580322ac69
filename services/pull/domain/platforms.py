"""Which manifest of an index is this machine's: containerd's rules of what runs where."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from shared import errdefs
from shared.oci.descriptor import Descriptor, Platform
from shared.oci.manifest import Index

#: What kernels, Docker and people call an architecture, by the name Go gives it.
_ARCHITECTURES: Final = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "i386": "386",
    "i686": "386",
    "aarch64": "arm64",
    "armhf": "arm",
    "armel": "arm",
    "armv6l": "arm",
    "armv7l": "arm",
    "armv8l": "arm",
}
#: The variant that a bare machine or architecture name stands for.
_VARIANTS: Final = {"armhf": "v7", "armel": "v6", "armv6l": "v6", "armv7l": "v7", "armv8l": "v8"}
#: On arm an image without a variant is a v7 one; on arm64 and amd64 it is the plain baseline.
_DEFAULT_VARIANTS: Final = {"arm": "v7", "arm64": "v8", "amd64": "v1"}
_NOT_AN_IMAGE: Final = "unknown"


def of_machine(machine: str, os: str = "linux") -> Platform:
    """Return the platform of what ``uname -m`` says."""
    name = machine.lower()
    return Platform(os=os, architecture=_ARCHITECTURES.get(name, name), variant=_VARIANTS.get(name))


def choose(index: Index, machine: Platform) -> Descriptor:
    """Return the manifest of *index* that fits *machine* best; the first of equals.

    An entry that names no platform runs anywhere, and is taken only where no other fits.
    Raises NotFound listing the platforms on offer.
    """
    runnable = runnable_on(machine)
    ranked = [
        (rank, descriptor)
        for descriptor in index.manifests
        if (rank := _rank(descriptor.platform, runnable)) is not None
    ]
    if not ranked:
        raise _nothing_fits(index.manifests, machine)
    return min(ranked, key=lambda pair: pair[0])[1]


def runnable_on(machine: Platform) -> tuple[tuple[str, str, str], ...]:
    """Return (os, architecture, variant) of all that *machine* runs, best first."""
    os, architecture, variant = _normalised(machine)
    number = variant.removeprefix("v")
    if not number.isdecimal():
        return ((os, architecture, variant),)
    own = [(os, architecture, f"v{lower}") for lower in range(int(number), 0, -1)]
    if architecture == "arm":
        own = [entry for entry in own if entry[2] >= "v5"]
    if architecture == "arm64":  # its 32-bit half runs what an arm v8 runs
        own += [(os, "arm", f"v{lower}") for lower in (8, 7, 6, 5)]
    if architecture == "amd64":
        own.append((os, "386", ""))
    return tuple(own)


def text(platform: Platform | None) -> str:
    """Return a platform as Docker writes it, ``linux/arm/v7``."""
    if platform is None:
        return "unspecified"
    parts = (platform.os, platform.architecture, platform.variant or "")
    return "/".join(part for part in parts if part)


def _rank(platform: Platform | None, runnable: tuple[tuple[str, str, str], ...]) -> int | None:
    if platform is None:
        return len(runnable)
    try:
        return runnable.index(_normalised(platform))
    except ValueError:
        return None


def _normalised(platform: Platform) -> tuple[str, str, str]:
    name = platform.architecture.lower()
    architecture = _ARCHITECTURES.get(name, name)
    variant = (platform.variant or _VARIANTS.get(name, "")).lower()
    if variant.isdecimal():
        variant = f"v{variant}"
    return platform.os.lower(), architecture, variant or _DEFAULT_VARIANTS.get(architecture, "")


def _nothing_fits(offered: Iterable[Descriptor], machine: Platform) -> errdefs.NotFound:
    names = dict.fromkeys(
        text(descriptor.platform)
        for descriptor in offered
        # Attestations lie in an index under this platform; nobody can run them.
        if descriptor.platform is None or descriptor.platform.os != _NOT_AN_IMAGE
    )
    offer = ", ".join(names) or "none at all"
    return errdefs.NotFound(
        f"no matching manifest for {text(machine)} in the manifest list entries; "
        f"it offers {offer}: use a tag that is built for this machine",
        detail={"platform": text(machine), "offered": list(names)},
    )
