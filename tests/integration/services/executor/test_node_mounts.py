"""What the node itself adds to a container: mounts behind all others, links, folders it makes."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from shared import errdefs
from shared.contracts.executor import ContainerLink, ContainerMount
from tests.support.containers import ExecutorNode

pytestmark = pytest.mark.root


async def test_added_mount_and_link_lead_to_a_folder_of_the_host(node: ExecutorNode) -> None:
    """A folder that is not there yet is made, mounted read-only, and reached through the link."""
    folder = node.exec_root / "added" / "folder"
    mount = ContainerMount(
        type="bind",
        source=str(folder),
        destination="/run/docker/added",
        options=("rbind", "ro"),
        create_source=True,
    )
    link = ContainerLink(path="/run/docker/known", target="added/known")

    await node.start_listening("c-1", "open=/run/docker/known", last_mounts=(mount,), links=(link,))
    first = await node.output("c-1")
    (folder / "known").touch()  # what comes later is seen as well
    await node.start_listening("c-2", "open=/run/docker/known", last_mounts=(mount,), links=(link,))
    with pytest.raises(errdefs.Error, match="Read-only file system"):
        await node.start_listening("c-3", "touch=/run/docker/added/mine", last_mounts=(mount,))

    assert first == ["not opened /run/docker/known"]
    await node.says("c-2", ["opened /run/docker/known"])
    assert [path.name for path in folder.iterdir()] == ["known"]


async def test_added_mount_stands_over_the_container_s_own(node: ExecutorNode) -> None:
    """Of two mounts at one place, the node's is the one that is seen."""
    own, added = node.folder / "own", node.folder / "added"
    for folder in (own, added):
        folder.mkdir(parents=True)
        (folder / folder.name).touch()
    at: dict[str, Any] = {"type": "bind", "destination": "/mnt", "options": ("rbind", "ro")}

    await node.start_listening(
        "c-1",
        "open=/mnt/own",
        "open=/mnt/added",
        mounts=(ContainerMount(source=str(own), **at),),
        last_mounts=(ContainerMount(source=str(added), **at),),
    )

    await node.says("c-1", ["not opened /mnt/own", "opened /mnt/added"])


@pytest.mark.parametrize("path", ["etc/x", "/", "/a//b", "/a/../../etc/x", "/a/."])
def test_links_that_could_climb_out_are_refused(path: str) -> None:
    """A link's place is absolute and plain."""
    with pytest.raises(ValidationError):
        ContainerLink(path=path, target="x")
