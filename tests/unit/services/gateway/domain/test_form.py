"""Values of queries."""

from __future__ import annotations

import pytest

from services.gateway.domain import form
from shared import errdefs


@pytest.mark.parametrize("value", ["", "0", "no", "False", " none ", "NO"])
def test_false(value: str) -> None:
    """A few words are false, in any case, with white space around."""
    assert not form.is_true(value)


@pytest.mark.parametrize("value", ["1", "true", "yes", "off", "x"])
def test_true(value: str) -> None:
    """Everything else is true."""
    assert form.is_true(value)


@pytest.mark.parametrize(
    ("value", "number"),
    [("30", 30), ("+5", 5), ("-5", -5), ("007", 7), ("9223372036854775807", 2**63 - 1)],
)
def test_to_int(value: str, number: int) -> None:
    """Signs and leading zeros are read as Go reads them."""
    assert form.to_int(value, function="Atoi") == number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", 'strconv.Atoi: parsing "": invalid syntax'),
        ("a", 'strconv.Atoi: parsing "a": invalid syntax'),
        ("1.5", 'strconv.Atoi: parsing "1.5": invalid syntax'),
        (" 1", 'strconv.Atoi: parsing " 1": invalid syntax'),
        ("1_0", 'strconv.Atoi: parsing "1_0": invalid syntax'),
        ("٣", 'strconv.Atoi: parsing "٣": invalid syntax'),
        (
            "9223372036854775808",
            'strconv.Atoi: parsing "9223372036854775808": value out of range',
        ),
        ("9" * 5000, f'strconv.Atoi: parsing "{"9" * 5000}": value out of range'),
    ],
)
def test_to_int_refuses(value: str, text: str) -> None:
    """What is no 64-bit integer is refused in Go's words, without a class in dockerd."""
    with pytest.raises(errdefs.InvalidArgument) as refused:
        form.to_int(value, function="Atoi")
    assert refused.value.message == text
    assert refused.value.docker_unclassed
