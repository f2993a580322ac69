"""Pushes: byte for byte what is stored, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared import errdefs
from shared.contracts import job as contracts
from shared.contracts.job import JobProgress
from shared.contracts.plugin import Plugin
from shared.oci.digest import digest_of
from tests.support.plugin_image import FakeImage, image
from tests.support.pull import FakeRegistries, World

TARGET = "registry.test/b/p:2"
TWO = image({"a": b"1"}, {"b": b"2" * 5000})


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(root=tmp_path, registries=FakeRegistries())
    made.store.have(*TWO.blobs.values())
    yield made
    made.workplaces.close()


def _plugin(of: FakeImage = TWO, **changes: Any) -> Plugin:
    record = {
        "plugin_id": "1" * 64,
        "name": "p:1",
        "reference": "other.test/a/p:1",
        "enabled": False,
        "config": {},
        "settings": {},
        "config_digest": digest_of(of.config),
        "manifest_digest": of.digest,
        "created_at_ns": 0,
    }
    return Plugin.model_validate(record | changes)


async def test_the_registry_gets_the_very_bytes(world: World) -> None:
    """All blobs, then the manifest as it was pulled: its odd indentation too."""
    await world.push(_plugin(), remote=TARGET)

    assert world.registries.blobs == TWO.blobs
    assert world.registries.tags[TARGET].digest == TWO.digest
    assert isinstance(world.store.sent[-1], contracts.FinishPush)


async def test_lines_are_dockers(world: World) -> None:
    """The repository, each blob's way, and what was made."""
    world.registries.blobs[digest_of(TWO.layers[0])] = TWO.layers[0]
    await world.push(_plugin(), remote=TARGET)

    said = world.writer.said
    assert said[0] == ("", "The push refers to repository [registry.test/b/p]")
    there, new = (digest_of(layer).short for layer in TWO.layers)
    assert [status for id_, status in said if id_ == there] == [
        "Preparing",
        "Layer already exists",
    ]
    assert [status for id_, status in said if id_ == new] == ["Preparing", "Upload complete"]
    last = world.writer.messages[-1]
    assert isinstance(last, JobProgress)
    assert last.aux == {"Tag": "2", "Digest": TWO.digest, "Size": len(TWO.manifest)}


async def test_blobs_of_the_same_registry_are_mounted(world: World) -> None:
    """What the registry has in the plugin's own repository is not sent again."""
    world.registries.mountable.add("a/p")
    await world.push(_plugin(reference="registry.test/a/p:1"), remote=TARGET)

    assert world.registries.uploaded == []
    assert (digest_of(TWO.config).short, "Mounted from registry.test/a/p") in world.writer.said


@pytest.mark.parametrize("reference", ["other.test/a/p:1", "p:1", "registry.test/b/p:1", "NO"])
async def test_nothing_is_mounted_from_elsewhere(world: World, reference: str) -> None:
    """Another registry, or the target itself, is no source."""
    world.registries.mountable |= {"a/p", "b/p", "library/p"}
    await world.push(_plugin(reference=reference), remote=TARGET)
    assert len(world.registries.uploaded) == 3


@pytest.mark.parametrize("lost", [TWO.layers[0], TWO.config, TWO.manifest])
async def test_a_lost_blob_refuses_the_push(world: World, lost: bytes) -> None:
    """The registry's good copy is never replaced by a part: nothing at all is sent."""
    (world.store.blobs / digest_of(lost).hex).unlink()

    with pytest.raises(
        errdefs.NotFound, match=rf"blob {digest_of(lost)} of p:1 is missing.*nothing was pushed"
    ):
        await world.push(_plugin(), remote=TARGET)
    assert world.registries.blobs == {}
    assert world.registries.tags == {}
    assert world.registries.opened == []


async def test_a_damaged_manifest_is_not_pushed(world: World) -> None:
    """The bytes must be those that the plugin's record names."""
    (world.store.blobs / TWO.digest.hex).write_bytes(image({"x": b"y"}).manifest)

    with pytest.raises(errdefs.Error, match="damaged in the content store"):
        await world.push(_plugin(), remote=TARGET)
    assert world.registries.tags == {}


async def test_the_registrys_refusal_says_what_was_done(world: World) -> None:
    """The error keeps its class, and tells that it was a push."""

    async def refuse(*_: Any, **__: Any) -> None:
        raise errdefs.Unauthenticated("push access denied")

    repository = world.registries.repository

    def refusing(*args: Any, **named: Any) -> Any:
        opened = repository(*args, **named)
        opened.upload = refuse  # type: ignore[method-assign,assignment]  # a fake of a fake
        return opened

    world.registries.repository = refusing  # type: ignore[method-assign]  # a fake of a fake
    with pytest.raises(errdefs.Unauthenticated, match="error pushing plugin: push access denied"):
        await world.push(_plugin(), remote=TARGET)
