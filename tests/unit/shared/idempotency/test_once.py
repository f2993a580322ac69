"""One outcome for all commands of a key."""

from __future__ import annotations

import asyncio

import pytest

from shared import errdefs
from shared.bus.ports import Delivery
from shared.contracts.store import Collected, CollectGarbage
from shared.idempotency.key import PREFIX, RequestKey, current, message_id, using
from shared.idempotency.once import Once, Outcome
from tests.support.bus import delivery

_KEYED = delivery(message_id=f"{PREFIX}1")


class FakeOutcomes:
    """A once.Outcomes in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, Outcome] = {}

    async def begin(self, message_id: str, asked: str) -> Outcome:
        """Note what is asked, unless something was before."""
        return self.kept.setdefault(message_id, Outcome(asked=asked))

    async def end(self, message_id: str, outcome: Outcome) -> None:
        """Write the outcome down."""
        self.kept[message_id] = outcome


class Collector:
    """A handler that counts, and fails as it is told."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception | None = None

    async def __call__(self, _command: CollectGarbage, _delivery: Delivery) -> Collected:
        """Answer with the number of this call."""
        self.calls += 1
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return Collected(digests=(), size_bytes=self.calls)


async def test_a_repeat_gets_the_first_reply() -> None:
    """A command of a key is carried out once, also when its repeat comes meanwhile."""
    collect = Collector()
    once = Once(FakeOutcomes(), lambda: 0).wrap(collect)
    replies = await asyncio.gather(*(once(CollectGarbage(), _KEYED) for _ in range(3)))
    assert [reply.model_dump()["size_bytes"] for reply in replies] == [1, 1, 1]
    assert collect.calls == 1


async def test_a_refusal_is_an_outcome() -> None:
    """What was refused for what it asks is refused again in the same words, whatever changed."""
    collect = Collector()
    once = Once(FakeOutcomes(), lambda: 0).wrap(collect)
    collect.error = errdefs.Conflict("in use", detail={"plugin": "p"})
    for _ in range(2):
        with pytest.raises(errdefs.Conflict, match="in use") as caught:
            await once(CollectGarbage(), _KEYED)
        assert caught.value.detail == {"plugin": "p"}
        collect.error = None
    assert collect.calls == 1


@pytest.mark.parametrize(
    "error",
    [errdefs.Unavailable("x"), errdefs.ResourceExhausted("x"), RuntimeError("a fault")],
    ids=lambda error: type(error).__name__,
)
async def test_a_bad_moment_is_none(error: Exception) -> None:
    """After an error that says nothing of the request a repeat is carried out."""
    collect = Collector()
    once = Once(FakeOutcomes(), lambda: 0).wrap(collect)
    collect.error = error
    with pytest.raises(type(error)):
        await once(CollectGarbage(), _KEYED)
    collect.error = None
    assert (await once(CollectGarbage(), _KEYED)).model_dump()["size_bytes"] == 2


async def test_another_body_is_refused() -> None:
    """A key stands for one request, also while its outcome is not known."""
    outcomes, collect = FakeOutcomes(), Collector()
    once = Once(outcomes, lambda: 0).wrap(collect)
    collect.error = errdefs.Unavailable("cut short")
    with pytest.raises(errdefs.Unavailable):
        await once(CollectGarbage(), _KEYED)
    with pytest.raises(errdefs.Conflict, match="another body"):
        await once(CollectGarbage(dry_run=True), _KEYED)
    assert collect.calls == 1


async def test_without_a_key_nothing_is_kept() -> None:
    """Commands of requests without a key are carried out each time."""
    outcomes, collect = FakeOutcomes(), Collector()
    once = Once(outcomes, lambda: 0).all({CollectGarbage: collect})[CollectGarbage]
    for _ in range(2):
        await once(CollectGarbage(), delivery())
    assert (collect.calls, outcomes.kept) == (2, {})


def test_ids_of_a_key() -> None:
    """A repeat has the same ids in the same order; another key, scope or command has others."""
    ids = []
    for scope in (("me", "k"), ("me", "k"), ("you", "k"), ("me", "j")):
        with using(RequestKey(scope[1], scope[0])):
            ids.append([message_id(CollectGarbage()), message_id(CollectGarbage())])
    assert ids[0] == ids[1]
    assert len({one for pair in ids for one in pair}) == 6
    assert message_id(CollectGarbage()) is None
    assert current() is None


def test_scopes_do_not_run_together() -> None:
    """No choice of key and scope gives another's id."""
    one, other = RequestKey("c", "a", "b"), RequestKey("b\0c", "a")
    assert one.digest() != other.digest()
    assert RequestKey("k", "s").digest("job") != RequestKey("k", "s").digest("exec")
