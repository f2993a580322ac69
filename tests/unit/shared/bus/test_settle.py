"""How deliveries end."""

from __future__ import annotations

import pytest

from shared import errdefs
from shared.bus import settle
from shared.bus.settle import Outcome
from tests.support.buses import Answer


def test_a_reply_is_an_ack() -> None:
    """A handler that returned has settled its command."""
    settlement = settle.answered(Answer(text="a"))

    assert settlement.outcome is Outcome.ACK
    assert Answer.model_validate_json(settlement.reply) == Answer(text="a")
    assert settlement.error is None


@pytest.mark.parametrize("error", [errdefs.Conflict("c"), errdefs.Unavailable("u")])
def test_an_errdefs_error_is_an_answer(error: errdefs.Error) -> None:
    """Retryable or not: somebody waits, and retrying is theirs."""
    settlement = settle.failed(error, service="desk", message_id="m")

    assert settlement.outcome is Outcome.REPLY
    assert settlement.error is error
    assert settlement.fault is None


def test_any_other_error_is_a_fault_told_in_safe_words() -> None:
    """The sender learns where to look and nothing of the inside."""
    fault = KeyError("inside")
    settlement = settle.failed(fault, service="desk", message_id="m")

    assert settlement.outcome is Outcome.BURY
    assert settlement.fault is fault
    assert isinstance(settlement.error, errdefs.Internal)
    assert settlement.error.message == "internal error in desk (message m): see its log"


def test_a_late_command_is_answered_as_such() -> None:
    """It is done with, and the answer says that it was not carried out."""
    settlement = settle.late("desk.question.ask.v1", service="desk")

    assert settlement.outcome is Outcome.REPLY
    assert isinstance(settlement.error, errdefs.DeadlineExceeded)
    assert "not carried out" in settlement.error.message


def test_a_worn_out_command_is_buried_as_a_fault() -> None:
    """The dead letter says how often it was delivered."""
    settlement = settle.worn_out(5, service="desk", message_id="m")

    assert settlement.outcome is Outcome.BURY
    assert "5 times" in str(settlement.fault)
    assert isinstance(settlement.error, errdefs.Internal)


@pytest.mark.parametrize(
    ("error", "attempt", "outcome"),
    [
        (RuntimeError(), 1, Outcome.RETRY),
        (RuntimeError(), 2, Outcome.RETRY),
        (RuntimeError(), 3, Outcome.BURY),
        (errdefs.Conflict("c"), 2, Outcome.RETRY),
        (errdefs.Conflict("c"), 4, Outcome.BURY),
        (errdefs.Unavailable("u"), 1, Outcome.RETRY),
        (errdefs.Unavailable("u"), 99, Outcome.RETRY),
    ],
)
def test_a_fact_is_tried_again_up_to_the_cap(
    error: Exception, attempt: int, outcome: Outcome
) -> None:
    """Only what is merely unavailable is tried for ever."""
    assert settle.not_noted(error, attempt=attempt, cap=3).outcome is outcome
