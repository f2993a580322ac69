"""Pulls: what is fetched, in which order it is unpacked, what is left when it fails."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from services.pull.domain.privilege_policy import PrivilegeRule
from shared import errdefs
from shared.contracts import job as contracts
from shared.oci import media_types
from shared.oci.digest import Digest, digest_of
from shared.oci.plugin_config import PluginConfig
from tests.support.gateway import plugin
from tests.support.plugin_image import GRANT, FakeImage, image
from tests.support.pull import REMOTE, TOKEN, FakeRegistries, World

TWO = image({"a": b"1", "both": b"below"}, {"b": b"2", "both": b"above"})


Make = Callable[..., World]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    worlds: list[World] = []

    def made(registries: FakeRegistries, layers_at_once: int = 3) -> World:
        world = World(root=tmp_path, registries=registries, layers_at_once=layers_at_once)
        worlds.append(world)
        return world

    yield made
    for world in worlds:
        world.workplaces.close()


@pytest.fixture
def world(make: Make) -> World:
    return make(FakeRegistries(TWO))


def _blobs(world: World) -> set[str]:
    return {path.name for path in world.store.blobs.iterdir()}


async def test_a_pull_hands_the_store_a_whole_plugin(world: World) -> None:
    """All blobs are in the content store, the layers unpacked, the config's bytes untouched."""
    changed = await world.pull(privileges=GRANT)

    assert changed.revision == 3
    assert world.rootfs() == {"a": b"1", "b": b"2", "both": b"above"}
    assert _blobs(world) == {digest.hex for digest in TWO.blobs}
    (committed,) = world.store.committed
    assert committed.token == TOKEN
    assert committed.config.encode() == TWO.config
    assert committed.config_digest == digest_of(TWO.config)
    assert committed.manifest_digest == TWO.digest
    assert committed.layer_digests == tuple(digest_of(layer) for layer in TWO.layers)
    assert world.ingests() == []


async def test_lines_come_in_dockers_words_and_order(world: World) -> None:
    """Each layer's lines are in causal order, those of the reference come first."""
    await world.pull()

    assert world.writer.said[:2] == [
        ("1", "Pulling from registry.test/a/p"),
        ("", f"Digest: {TWO.digest}"),
    ]
    for layer in TWO.layers:
        short = digest_of(layer).short
        assert [status for id_, status in world.writer.said if id_ == short] == [
            "Pulling fs layer",
            "Download complete",
            "Complete",
        ]
    moved = {line.status for line in world.writer.messages if getattr(line, "current", None)}  # type: ignore[attr-defined]  # all are JobProgress
    assert moved == {"Downloading", "Extracting"}


async def test_layers_are_unpacked_in_the_manifests_order(world: World) -> None:
    """A lower layer that arrives last still lies below."""
    is_upper_here = asyncio.Event()
    lower, upper = (digest_of(layer) for layer in TWO.layers)

    async def lower_last(digest: Digest) -> None:
        if digest == lower:
            await is_upper_here.wait()
        elif digest == upper:
            asyncio.get_running_loop().call_later(0.05, is_upper_here.set)

    world.registries.before_blob = lower_last
    await world.pull()

    assert world.rootfs()["both"] == b"above"


async def test_blobs_that_exist_are_not_fetched_but_unpacked(world: World) -> None:
    """What another plugin brought is used again."""
    world.store.have(TWO.layers[0])

    await world.pull()

    assert world.registries.asked[f"blob {digest_of(TWO.layers[0])}"] == 0
    assert (digest_of(TWO.layers[0]).short, "Already exists") in world.writer.said
    assert world.rootfs()["a"] == b"1"


async def test_where_one_is_here_all_blobs_are_kept_before_the_first_is_fetched(
    world: World,
) -> None:
    """The store hears of every digest, and only then a layer moves."""
    world.store.have(TWO.config)
    kept_at_first_layer: list[int] = []

    async def look(digest: Digest) -> None:
        if digest in {digest_of(layer) for layer in TWO.layers}:
            kept_at_first_layer.append(
                sum(isinstance(command, contracts.KeepBlobs) for command in world.store.sent)
            )

    world.registries.before_blob = look
    await world.pull()

    (keep,) = (c for c in world.store.sent if isinstance(c, contracts.KeepBlobs))
    assert set(keep.digests) == set(TWO.blobs)
    assert kept_at_first_layer == [1, 1]


async def test_where_none_is_here_none_is_kept_before_it_is_committed(world: World) -> None:
    """Each becomes a blob by a command that has it kept."""
    await world.pull()

    sent = world.store.sent
    assert not [one for one in sent if isinstance(one, contracts.KeepBlobs)]
    committing = [one for one in sent if isinstance(one, contracts.CommitBlob)]
    staged = {blob.digest for one in committing for blob in (one.blob, *one.others)}
    staged |= {blob.digest for blob in world.store.committed[0].blobs}
    assert staged == set(TWO.blobs)


async def test_a_layer_that_is_small_and_alone_is_committed_with_the_plugin(make: Make) -> None:
    """One message ends the job, and its blobs are blobs."""
    lone = image({"a": b"1"})
    world = make(FakeRegistries(lone))

    await world.pull()

    (last,) = world.store.sent
    assert isinstance(last, contracts.CommitPlugin)
    assert {blob.digest for blob in last.blobs} == set(lone.blobs)
    assert _blobs(world) == {digest.hex for digest in lone.blobs}
    assert world.rootfs() == {"a": b"1"}
    assert world.ingests() == []


async def test_two_jobs_share_the_download_of_a_lone_layer(make: Make) -> None:
    """The second waits for the first's commit, has the blob kept, and takes it."""
    lone = image({"a": b"1"})
    digest = digest_of(lone.layers[0])
    world = make(FakeRegistries(lone))

    await asyncio.gather(world.pull("job-1"), world.pull("job-2"))

    assert world.registries.asked[f"blob {digest}"] == 1
    assert world.rootfs("job-1") == world.rootfs("job-2") == {"a": b"1"}
    assert (digest,) in [
        one.digests for one in world.store.sent if isinstance(one, contracts.KeepBlobs)
    ]


async def test_a_commit_that_is_refused_hands_a_lone_layer_on(make: Make) -> None:
    """Its download is another job's turn then, and nothing of it is left."""
    lone = image({"a": b"1"})
    world = make(FakeRegistries(lone))
    commit, refused = world.store.answers[contracts.CommitPlugin], errdefs.Conflict("refused")
    world.store.answers[contracts.CommitPlugin] = refused
    with pytest.raises(errdefs.Conflict, match="refused"):
        await world.pull("job-1")
    assert world.ingests() == []

    world.store.answers[contracts.CommitPlugin] = commit
    await world.pull("job-2")

    assert world.registries.asked[f"blob {digest_of(lone.layers[0])}"] == 2
    assert world.rootfs("job-2") == {"a": b"1"}


async def test_wrong_privileges_fail_before_any_layer_moves(world: World) -> None:
    """Consent is checked on the config alone."""
    with pytest.raises(errdefs.PermissionDenied, match="incorrect privileges"):
        await world.pull(privileges=())

    for layer in TWO.layers:
        assert world.registries.asked[f"blob {digest_of(layer)}"] == 0
    assert world.store.committed == []


async def test_wrong_privileges_of_an_upgrade_tell_what_is_new(world: World) -> None:
    """The job's error carries the difference between the installed version and the new one."""
    old = image(network={"type": "none"})
    installed = plugin(config=PluginConfig.from_json(old.config).to_dict())

    with pytest.raises(errdefs.PermissionDenied) as refused:
        await world.pull(installed=installed, privileges=())

    assert "the new version needs network host as well" in refused.value.message
    assert refused.value.detail["added"] == [{"name": "network", "value": ["host"]}]
    assert refused.value.detail["dropped"] == [{"name": "network", "value": ["none"]}]


async def test_what_the_policy_does_not_allow_is_not_fetched(world: World) -> None:
    """An operator's limit holds whatever was granted, before any layer moves."""
    world.privilege_policies.rules = (PrivilegeRule(prefix="registry.test/a"),)

    with pytest.raises(errdefs.PermissionDenied, match="needs network host, which the privilege"):
        await world.pull(privileges=GRANT)

    assert world.registries.asked[f"blob {digest_of(TWO.layers[0])}"] == 0


async def test_a_policy_that_is_broken_stops_pulls(world: World) -> None:
    """What can't be read allows nothing, for now."""
    world.privilege_policies.error = errdefs.InvalidArgument("it is broken")

    with pytest.raises(errdefs.Unavailable, match=r"nothing is pulled while .*it is broken"):
        await world.pull(privileges=GRANT)


async def test_a_bridge_is_refused_before_any_layer_moves(make: Make) -> None:
    """A network that the node does not have is told on the config alone."""
    wants_bridge = image(network={"type": "bridge"})
    world = make(FakeRegistries(wants_bridge))

    with pytest.raises(errdefs.Unimplemented, match="plugin p:1 asks for network bridge"):
        await world.pull(privileges=())

    assert world.registries.asked[f"blob {digest_of(wants_bridge.layers[0])}"] == 0


async def test_a_grant_of_none_checks_nothing(world: World) -> None:
    """Where nobody was asked there is nothing to compare."""
    await world.pull(privileges=None)
    assert world.store.committed


async def test_an_ordinary_image_is_refused_in_dockers_words(make: Make) -> None:
    """The manifest's config type decides, and nothing but the manifest was fetched."""
    registries = FakeRegistries(image(config_type=media_types.DOCKER_IMAGE_CONFIG))
    world = make(registries)

    with pytest.raises(
        errdefs.InvalidArgument,
        match=r"did not find plugin config for specified reference registry\.test/a/p:1",
    ) as caught:
        await world.pull()

    assert caught.value.docker_unclassed
    assert not [asked for asked in registries.asked if asked.startswith("blob")]


async def test_of_an_index_this_machines_plugin_is_taken(make: Make) -> None:
    """One platform is chosen; what the store records is that plugin's own manifest."""
    other = image({"wrong": b"arm"})
    index = _index(("arm64", other), ("amd64", TWO))
    registries = FakeRegistries(TWO, other)
    registries.add(REMOTE, index)
    world = make(registries)

    await world.pull()

    assert "wrong" not in world.rootfs()
    assert world.store.committed[0].manifest_digest == TWO.digest
    assert ("", f"Digest: {index.digest}") in world.writer.said


async def test_an_index_without_this_machine_is_refused(make: Make) -> None:
    """The error names what is on offer."""
    registries = FakeRegistries(TWO)
    registries.add(REMOTE, _index(("s390x", TWO)))
    with pytest.raises(errdefs.NotFound, match="s390x"):
        await make(registries).pull()


@pytest.mark.parametrize("is_known", [False, True])
async def test_a_spoiled_blob_is_refused_and_leaves_nothing(
    world: World, *, is_known: bool
) -> None:
    """Wrong bytes never become a blob, and the next pull from a sound registry succeeds."""
    spoiled = digest_of(TWO.layers[1])
    if is_known:
        world.store.have(TWO.layers[0])
    sound = world.registries.blobs[spoiled]
    world.registries.blobs[spoiled] = bytes(len(sound))

    with pytest.raises(errdefs.InvalidArgument, match="unexpected commit digest"):
        await world.pull()
    assert world.store.committed == []
    assert spoiled.hex not in _blobs(world)
    assert world.ingests() == []

    world.registries.blobs[spoiled] = sound
    await world.pull("job-2")
    assert world.rootfs("job-2")["both"] == b"above"


@pytest.mark.parametrize(
    ("change", "message"),
    [(lambda blob: blob[:-1], "unexpected commit size"), (lambda blob: blob + b"x", "size")],
)
async def test_a_blob_of_another_size_is_refused(world: World, change: Any, message: str) -> None:
    """Too short or too long: what was promised is what counts."""
    digest = digest_of(TWO.layers[0])
    world.registries.blobs[digest] = change(world.registries.blobs[digest])

    with pytest.raises(errdefs.InvalidArgument, match=message):
        await world.pull()
    assert world.ingests() == []


async def test_what_broke_the_download_is_told_and_not_what_it_did_to_unpacking(
    world: World,
) -> None:
    """The registry's error comes through as it is."""

    async def breaks(digest: Digest) -> None:
        if digest == digest_of(TWO.layers[0]):
            raise errdefs.Unavailable("the registry is on fire")

    world.registries.before_blob = breaks
    with pytest.raises(errdefs.Unavailable, match="on fire"):
        await world.pull()


async def test_a_layer_that_is_no_archive_is_named(make: Make) -> None:
    """Sound bytes of a broken archive fail with the layer's digest, as in Docker."""
    broken = image({"a": b"x" * 2000}, compress=lambda archive: archive[:700])
    world = make(FakeRegistries(broken))

    with pytest.raises(
        errdefs.InvalidArgument,
        match=rf"error applying layer for digest {digest_of(broken.layers[0])}: unexpected EOF",
    ):
        await world.pull()


async def test_a_config_that_promises_other_layers_is_refused(make: Make) -> None:
    """Diff ids are verified, which dockerd never does."""
    lying = image(diff_ids=("sha256:" + "0" * 64,))
    world = make(FakeRegistries(lying))

    with pytest.raises(errdefs.InvalidArgument, match=r"error applying layer.*promised sha256:000"):
        await world.pull()
    assert world.store.committed == []


async def test_dockers_own_diff_ids_are_tolerated(make: Make) -> None:
    """Docker writes the packed layer's digest where the tar's belongs."""
    honest = image()
    made_by_docker = image(diff_ids=(digest_of(honest.layers[0]),))
    assert made_by_docker.layers == honest.layers
    world = make(FakeRegistries(made_by_docker))

    await world.pull()
    assert world.store.committed


@pytest.mark.parametrize(
    ("compress", "layer_type"),
    [
        (bytes, media_types.OCI_LAYER),
        (gzip.compress, media_types.OCI_LAYER_GZIP),
        (zstandard.compress, media_types.OCI_LAYER_ZSTD),
    ],
)
async def test_layers_of_all_kinds(make: Make, compress: Any, layer_type: str) -> None:
    """Plain, gzip and zstd are unpacked alike."""
    found = image({"f": b"content" * 5000}, compress=compress, layer_type=layer_type)
    world = make(FakeRegistries(found))

    await world.pull()
    assert world.rootfs() == {"f": b"content" * 5000}


async def test_one_blob_named_twice_is_fetched_once(make: Make) -> None:
    """It is unpacked in both places."""
    twice = image({"a": b"1"}, {"a": b"2"}, {"a": b"1"})
    world = make(FakeRegistries(twice))

    await world.pull()

    assert world.registries.asked[f"blob {digest_of(twice.layers[0])}"] == 1
    assert world.rootfs() == {"a": b"1"}


async def test_no_more_layers_than_allowed_are_on_their_way(make: Make) -> None:
    """The limit holds, and it is used."""
    many = image(*({f"f{number}": bytes(5000)} for number in range(6)))
    registries = FakeRegistries(many)
    await make(registries, layers_at_once=2).pull()

    assert registries.most_in_flight == 2


async def test_two_jobs_share_one_download(world: World) -> None:
    """Whoever comes second waits, and takes the blob from the content store."""
    await asyncio.gather(world.pull("job-1"), world.pull("job-2"))

    for layer in TWO.layers:
        assert world.registries.asked[f"blob {digest_of(layer)}"] == 1
    assert world.rootfs("job-1") == world.rootfs("job-2")


async def test_a_job_that_fails_hands_its_download_on(world: World) -> None:
    """The second job fetches for itself what the first could not."""
    digest = digest_of(TWO.layers[0])

    async def first_breaks(asked: Digest) -> None:
        if asked == digest and world.registries.asked[f"blob {digest}"] == 1:
            raise errdefs.Unavailable("once")

    world.registries.before_blob = first_breaks
    ends = await asyncio.gather(world.pull("j1"), world.pull("j2"), return_exceptions=True)

    # Whichever had its turn first.
    (failed,) = (end for end in ends if isinstance(end, BaseException))
    assert isinstance(failed, errdefs.Unavailable)
    done = "j2" if ends[0] is failed else "j1"
    assert world.rootfs(done)["a"] == b"1"


async def test_a_cancelled_pull_ends_at_once_and_leaves_no_ingest(world: World) -> None:
    """Neither a download that hangs nor a thread that waits for it holds it up."""
    hangs = asyncio.Event()

    async def hang(digest: Digest) -> None:
        if digest == digest_of(TWO.layers[0]):
            hangs.set()
            await asyncio.Event().wait()

    world.registries.before_blob = hang
    pull = asyncio.create_task(world.pull())
    await hangs.wait()
    pull.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await pull
    assert world.ingests() == []
    assert world.store.committed == []


async def test_what_privileges_fetched_is_not_fetched_again(world: World) -> None:
    """Manifest and config stay for the pull that follows."""
    await world.pull("job-1")
    await world.pull("job-2")

    assert world.registries.asked["manifest"] == 1
    assert world.registries.asked[f"blob {digest_of(TWO.config)}"] == 1
    assert world.registries.asked["resolve"] == 2


async def test_leftovers_of_an_earlier_attempt_are_cleared(world: World) -> None:
    """A killed worker's half-written files do not end up in the plugin."""
    left = world.root / "work" / "job-1" / f"rootfs-{TOKEN - 1}"
    left.mkdir(parents=True)
    (left / "stale").write_bytes(b"x")
    (left.parent / "ingest-stale").write_bytes(b"x")

    await world.pull()

    assert "stale" not in world.rootfs()
    assert sorted(path.name for path in left.parent.iterdir()) == ["rootfs"]


def _index(*entries: tuple[str, FakeImage]) -> FakeImage:
    body = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_INDEX,
            "manifests": [
                {
                    "mediaType": each.media_type,
                    "digest": each.digest,
                    "size": len(each.manifest),
                    "platform": {"os": "linux", "architecture": architecture},
                }
                for architecture, each in entries
            ],
        }
    ).encode()
    return FakeImage(
        layers=(),
        config=b"",
        manifest=body,
        media_type=media_types.OCI_INDEX,
        blobs={digest_of(body): body},
    )


@pytest.mark.parametrize(
    ("attempt", "is_whole", "asks"), [(1, True, 0), (1, False, 1), (2, True, 1)]
)
async def test_what_is_kept_already_is_not_asked_for(
    world: World, attempt: int, is_whole: bool, asks: int
) -> None:
    """The store said with the job what it keeps; a second attempt asks whether the job is its."""
    world.store.have(TWO.manifest, TWO.config, *TWO.layers)
    world.store.attempt = attempt
    world.store.kept = tuple(TWO.blobs)[0 if is_whole else 1 :]

    await world.pull(installed=plugin(), pinned_digest=TWO.digest)

    assert sum(isinstance(sent, contracts.KeepBlobs) for sent in world.store.sent) == asks
    assert world.rootfs() == {"a": b"1", "b": b"2", "both": b"above"}


async def test_a_prefetch_fetches_all_and_unpacks_nothing(world: World) -> None:
    """Blobs are in the content store, checked, and no plugin was made of them."""
    await world.prefetch()

    assert _blobs(world) == {digest.hex for digest in TWO.blobs}
    assert world.rootfs() == {}
    assert world.store.committed == []
    assert any(isinstance(sent, contracts.FinishPush) for sent in world.store.sent)


async def test_what_was_prefetched_is_not_fetched_again(world: World) -> None:
    """The upgrade that follows asks the registry for no blob."""
    await world.prefetch()
    world.registries.asked.clear()

    await world.pull(privileges=GRANT)

    assert not any(asked.startswith("blob") for asked in world.registries.asked)
    assert world.rootfs() == {"a": b"1", "b": b"2", "both": b"above"}


async def test_what_was_prefetched_is_upgraded_to_without_its_registry(world: World) -> None:
    """A pinned version is all here: a registry that is away by now keeps nobody from it."""
    await world.prefetch()
    world.registries.asked.clear()

    await world.pull(installed=plugin(), pinned_digest=TWO.digest)

    assert not world.registries.asked
    assert world.store.committed[0].manifest_digest == TWO.digest


async def test_a_pinned_digest_is_fetched_whatever_the_tag_is_by_now(world: World) -> None:
    """A tag that moved after the plan was made changes nothing."""
    world.registries.add(REMOTE, image({"other": b"1"}))
    world.registries.add(f"{REMOTE}@{TWO.digest}", TWO)

    await world.pull(pinned_digest=TWO.digest)

    assert world.store.committed[0].manifest_digest == TWO.digest


async def test_an_earlier_version_is_put_back_without_its_registry(world: World) -> None:
    """All that it is made of is kept here, and its signers are those of then."""
    world.store.have(TWO.manifest, TWO.config, *TWO.layers)
    before = plugin()
    world.registries.asked.clear()

    await world.pull(installed=before, restore=before, pinned_digest=TWO.digest)

    assert not world.registries.asked
    assert world.rootfs() == {"a": b"1", "b": b"2", "both": b"above"}
    assert world.store.committed[0].manifest_digest == TWO.digest


async def test_what_is_gone_of_an_earlier_version_is_fetched(world: World) -> None:
    """The registry is asked for what the collector took."""
    world.registries.add(f"{REMOTE}@{TWO.digest}", TWO)
    before = plugin()

    await world.pull(installed=before, restore=before, pinned_digest=TWO.digest)

    assert world.rootfs()["both"] == b"above"
