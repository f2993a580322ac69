"""Who signed a plugin, in its record."""

from __future__ import annotations

from shared.contracts.job import BeginJob, CommitPlugin, JobKind, JobRequest, TakeJob
from shared.contracts.plugin import Plugin, Signer
from tests.support.store import CONFIG, StoreUnderTest, delivery


def signer(name: str) -> Signer:
    """Return a signer of that name."""
    return Signer(key="sha256:ab", name=name, digest=f"sha256:{'d' * 64}", verified_at_ns=1)


async def commit(store: StoreUnderTest, kind: JobKind, *signers: Signer) -> Plugin:
    """Do a job to its end, and return the plugin."""
    request = JobRequest(kind=kind, name="p:latest", remote="registry.example/p:v2")
    await store.jobs.begin(BeginJob(job_id=kind, request=request), delivery())
    taken = await store.jobs.take(TakeJob(job_id=kind, worker="w"), delivery())
    store.fake_folders.staged.add(kind)
    command = CommitPlugin(
        job_id=kind,
        token=taken.token,
        config=CONFIG.decode(),
        config_digest=f"sha256:{'c' * 64}",
        manifest_digest=f"sha256:{'d' * 64}",
        layer_digests=(f"sha256:{'e' * 64}",),
        signers=signers,
    )
    changed = await store.installation.commit(command, delivery())
    plugin = changed.changes[-1].plugin
    assert plugin is not None
    return plugin


async def test_the_record_keeps_who_signed_what_is_installed() -> None:
    """A pull writes its signers down; an upgrade replaces them, by nobody too."""
    store = StoreUnderTest()

    assert (await commit(store, JobKind.PULL, signer("a"))).signers == (signer("a"),)
    assert (await commit(store, JobKind.UPGRADE)).signers == ()


def test_a_record_from_before_signatures_has_no_signers() -> None:
    """A plugin that an older store wrote down is read as one that nobody signed."""
    plugin = Plugin(
        plugin_id="1",
        name="p",
        reference="p",
        enabled=False,
        config={},
        settings={},
        config_digest="",
        manifest_digest="",
        created_at_ns=1,
    )

    older = plugin.model_dump(mode="json", exclude={"signers"})

    assert Plugin.model_validate(older) == plugin
