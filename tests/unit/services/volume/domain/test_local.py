"""The local driver's rules: names, options and what is mounted for them."""

from __future__ import annotations

import pytest

from services.volume.domain import local
from shared import errdefs


@pytest.mark.parametrize("name", ["ab", "a.b_c-d", "0x", "a" * 255])
def test_names_of_folders(name: str) -> None:
    """Two characters or more, a letter or digit first, are a volume's name."""
    local.check_name(name)


@pytest.mark.parametrize("name", ["a", ".ab", "a/b", "a b", "ä1", "a\n", "a" * 256, ".."])
def test_names_that_are_none(name: str) -> None:
    """What could lead out of the folder, or is too short or long, is refused."""
    with pytest.raises(errdefs.InvalidArgument):
        local.check_name(name)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"x": "1"}, 'invalid option: "x"'),
        ({"type": "nfs"}, 'missing required option: "device"'),
        ({"device": "/d"}, 'missing required option: "type"'),
        ({"o": "ro"}, 'missing required option: "device"'),
        ({"o": "ro", "device": "/d"}, 'missing required option: "type"'),
        ({"size": "10 apples"}, "invalid size: '10 apples'"),
        ({"size": "10GB"}, "quota size requested but no quota support"),
        ({"type": "cifs", "device": "//h:445/s"}, "port not allowed in CIFS device URL"),
        ({"type": "cifs", "device": "//h:x/s"}, "error parsing mount device url"),
    ],
)
def test_options_that_are_refused(options: dict[str, str], said: str) -> None:
    """The text is dockerd's."""
    with pytest.raises(errdefs.InvalidArgument, match=said.replace("?", r"\?")):
        local.check_options(options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"size": "0"},
        {"type": "tmpfs", "device": "tmpfs"},
        {"type": "none", "device": "/d", "o": "bind"},
        {"type": "cifs", "device": "//h/s", "o": "port=445"},
    ],
)
def test_options_that_can_be_mounted(options: dict[str, str]) -> None:
    """A type and a device go together, with options or without."""
    local.check_options(options)


def test_a_volume_without_options_is_a_folder() -> None:
    """Nothing is mounted for it."""
    assert local.plan(None) is None
    assert local.plan({"size": "0"}) is None


def test_words_become_flags_and_the_rest_data() -> None:
    """A later word undoes an earlier one; propagation is a call of its own."""
    plan = local.plan(
        {"type": "tmpfs", "device": "tmpfs", "o": "ro,size=1m,rw,noexec,defaults,rshared,mode=700"}
    )
    assert plan is not None
    assert (plan.flags, plan.data) == (8, "size=1m,mode=700")
    assert plan.propagation == 1 << 20 | 16384
    assert plan.remount_flags == 0


def test_a_bind_is_read_only_by_a_second_call() -> None:
    """The kernel ignores `ro` where it binds."""
    plan = local.plan({"type": "none", "device": "/d", "o": "rbind,ro"})
    assert plan is not None
    assert plan.flags == 4096 | 16384 | 1
    assert plan.remount_flags == plan.flags | 32


@pytest.mark.parametrize(
    ("options", "host", "device", "data"),
    [
        ({"type": "nfs", "device": ":/x", "o": "addr=h,ro"}, "h", ":/x", "addr=1.2.3.4"),
        ({"type": "cifs", "device": "//h/s", "o": "user=u"}, "h", "//1.2.3.4/s", "user=u"),
        ({"type": "cifs", "device": "//h/s", "o": "addr=i"}, "i", "//h/s", "addr=1.2.3.4"),
        ({"type": "nfs", "device": "h:/x", "o": ""}, None, "h:/x", ""),
        ({"type": "tmpfs", "device": "tmpfs", "o": "addr=h"}, None, "tmpfs", "addr=h"),
    ],
)
def test_the_kernel_is_told_addresses(
    options: dict[str, str], host: str | None, device: str, data: str
) -> None:
    """A host in addr=, or a CIFS device's, is resolved before the mount."""
    plan = local.plan(options)
    assert plan is not None
    assert local.host_to_resolve(plan) == host
    told = local.resolved(plan, host, "1.2.3.4") if host else plan
    assert (told.device, told.data) == (device, data)


@pytest.mark.parametrize(
    ("o", "secrets"),
    [
        ("username=u,password=p=q", ("p=q",)),
        ("pass=ab,password2=abc,pass2=abcd,user=a", ("abcd", "abc", "ab")),
        ("password=,passwordless=x,compass=y", ()),
    ],
)
def test_passwords_are_secrets(o: str, secrets: tuple[str, ...]) -> None:
    """All that CIFS takes for one is known, so that errors can hide it, the longest first."""
    plan = local.plan({"type": "cifs", "device": "//h/s", "o": o})
    assert plan is not None
    assert plan.secrets == secrets
