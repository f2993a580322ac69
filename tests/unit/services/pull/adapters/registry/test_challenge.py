from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.pull.adapters.registry.challenge import Challenge, find, parse


def challenge(scheme: str, **parameters: str) -> Challenge:
    return Challenge(scheme=scheme, parameters=parameters)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("Basic", [challenge("basic")]),
        ('Basic realm="a b"', [challenge("basic", realm="a b")]),
        ("BEARER Realm=x", [challenge("bearer", realm="x")]),
        (
            'Bearer realm="https://h/t",service="s",scope="repository:a/b:pull,push"',
            [
                challenge(
                    "bearer", realm="https://h/t", service="s", scope="repository:a/b:pull,push"
                )
            ],
        ),
        (
            'Basic realm="x", Bearer realm="y", error=z',
            [challenge("basic", realm="x"), challenge("bearer", realm="y", error="z")],
        ),
        ('Negotiate, Basic realm="x"', [challenge("negotiate"), challenge("basic", realm="x")]),
        (
            'NTLM TlRMTVNTUAAC==, Basic realm="x"',
            [challenge("ntlm"), challenge("basic", realm="x")],
        ),
        (r'Basic realm="say \"hi\", ok"', [challenge("basic", realm='say "hi", ok')]),
        (" , ,Basic  realm = x ,, charset = UTF-8 ,", [
            challenge("basic", realm="x", charset="UTF-8")]),
        ('Bearer realm="x", realm="y"', [challenge("bearer", realm="x")]),
        ('Bearer realm=""', [challenge("bearer", realm="")]),
        ('Bearer realm="never closed', [challenge("bearer")]),
        ("", []),
        ('"', []),
    ],
)  # fmt: skip
def test_headers_that_registries_send(value: str, found: list[Challenge]) -> None:
    """Every form of the grammar is read; what can't be read ends its header."""
    assert list(parse([value])) == found


def test_several_headers_are_one_list() -> None:
    """Challenges may come in a header each, and one is found by its scheme."""
    found = parse(['Basic realm="x"', 'Bearer realm="y"'])

    assert find(found, "bearer") == challenge("bearer", realm="y")
    assert find(found, "digest") is None


@given(st.text(max_size=200))
def test_nothing_breaks_it(value: str) -> None:
    """Whatever a header holds, reading it ends, and schemes are words in lower case."""
    for one in parse([value]):
        assert one.scheme
        assert one.scheme == one.scheme.lower()


_words = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
_texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@given(
    st.lists(st.tuples(_words, st.dictionaries(_words, _texts, min_size=1, max_size=3)), max_size=3)
)
def test_what_is_written_is_read(written: list[tuple[str, dict[str, str]]]) -> None:
    """Any list of challenges, written by the grammar, is read as it was meant."""
    value = ", ".join(
        f"{scheme} " + ", ".join(f"{name}={_quoted(text)}" for name, text in parameters.items())
        for scheme, parameters in written
    )

    assert [(one.scheme, one.parameters) for one in parse([value])] == written


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
