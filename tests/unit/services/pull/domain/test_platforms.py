from __future__ import annotations

import pytest

from services.pull.domain.platforms import choose, of_machine, text
from shared import errdefs
from shared.oci import media_types
from shared.oci.descriptor import Descriptor, Platform
from shared.oci.digest import digest_of
from shared.oci.manifest import Index


def entry(name: str) -> Descriptor:
    """Return an index's entry for ``os/architecture/variant``, "" for no platform."""
    platform = None
    if name:
        os, architecture, variant = [*name.split("/"), ""][:3]
        platform = Platform(os=os, architecture=architecture, variant=variant or None)
    return Descriptor(
        media_type=media_types.OCI_MANIFEST,
        digest=digest_of(name.encode()),
        size=1,
        platform=platform,
    )


def index(*names: str) -> Index:
    return Index(media_type=media_types.OCI_INDEX, manifests=tuple(entry(name) for name in names))


@pytest.mark.parametrize(
    ("machine", "offered", "chosen"),
    [
        ("x86_64", "linux/arm64 linux/amd64", "linux/amd64"),
        ("x86_64", "linux/386 linux/amd64", "linux/amd64"),
        ("x86_64", "linux/386 linux/arm64", "linux/386"),
        ("x86_64", "windows/amd64 linux/x86_64", "linux/x86_64"),
        ("x86_64", "linux/amd64/v2 linux/amd64/v1", "linux/amd64/v1"),
        ("aarch64", "linux/arm/v7 linux/arm64/v8", "linux/arm64/v8"),
        ("aarch64", "linux/arm/v6 linux/arm/v7", "linux/arm/v7"),
        ("aarch64", "linux/arm64", "linux/arm64"),
        ("armv7l", "linux/arm/v5 linux/arm/v6", "linux/arm/v6"),
        ("armv7l", "linux/arm/v6 linux/arm", "linux/arm"),
        ("armv7l", "linux/arm/v8 linux/arm/7", "linux/arm/7"),
        ("armv6l", "linux/arm/v7 linux/arm/v6", "linux/arm/v6"),
        ("riscv64", "linux/amd64 linux/riscv64", "linux/riscv64"),
        ("s390x", "linux/s390x linux/amd64", "linux/s390x"),
    ],
)
def test_the_best_that_runs_here_is_chosen(machine: str, offered: str, chosen: str) -> None:
    """The order of an index does not matter, the machine's order of what it runs does."""
    names = offered.split()

    for order in (names, names[::-1]):
        assert choose(index(*order), of_machine(machine)) == entry(chosen)


def test_of_equals_the_first_is_chosen() -> None:
    """Two entries for one platform are told apart by their order."""
    first, second = entry("linux/amd64"), entry("linux/amd64/v1")
    found = Index(media_type=media_types.OCI_INDEX, manifests=(first, second))

    assert choose(found, of_machine("x86_64")) is first


def test_an_entry_without_a_platform_is_the_last_resort() -> None:
    """What names no platform is taken only where nothing else fits."""
    machine = of_machine("x86_64")

    assert choose(index("", "linux/386"), machine) == entry("linux/386")
    assert choose(index("", "linux/arm64"), machine) == entry("")


@pytest.mark.parametrize("machine", ["armv6l", "x86_64", "riscv64"])
def test_nothing_that_runs_here_is_told_with_the_offer(machine: str) -> None:
    """The error lists what there is, attestations apart, and says what to do."""
    platform = of_machine(machine)

    with pytest.raises(errdefs.NotFound) as caught:
        choose(index("linux/arm/v7", "windows/amd64", "unknown/unknown"), platform)

    assert caught.value.detail["offered"] == ["linux/arm/v7", "windows/amd64"]
    assert f"no matching manifest for {text(platform)} in" in caught.value.message
    assert "it offers linux/arm/v7, windows/amd64: use a tag" in caught.value.message


def test_an_empty_index_offers_nothing() -> None:
    """An index without entries is told as one."""
    with pytest.raises(errdefs.NotFound, match="offers none at all"):
        choose(index(), of_machine("x86_64"))
