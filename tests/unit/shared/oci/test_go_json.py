"""JSON in Go's words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.oci import go_json

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "unexpected end of JSON input"),
        (b" \n", "unexpected end of JSON input"),
        (b"{", "unexpected end of JSON input"),
        (b'{"a"', "unexpected end of JSON input"),
        (b'"abc', "unexpected end of JSON input"),
        (b"tru", "unexpected end of JSON input"),
        (b"1.", "unexpected end of JSON input"),
        (b"x", "invalid character 'x' looking for beginning of value"),
        (b"{invalid", "invalid character 'i' looking for beginning of object key string"),
        (b'{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        (b"{1:2}", "invalid character '1' looking for beginning of object key string"),
        (b"[1,]", "invalid character ']' looking for beginning of value"),
        (b"[1 2]", "invalid character '2' after array element"),
        (b'{"a" 1}', "invalid character '1' after object key"),
        (b'{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
        (b'{"a":[{}}]', "invalid character '}' after array element"),
        (b"'a'", r"invalid character '\'' looking for beginning of value"),
        (b'"\n"', r"invalid character '\n' in string literal"),
        (b'"\x01"', r"invalid character '\x01' in string literal"),
        (b'"\\x"', "invalid character 'x' in string escape code"),
        (b'"\\u12g4"', r"invalid character 'g' in \u hexadecimal character escape"),
        (b"-x", "invalid character 'x' in numeric literal"),
        (b"1.x", "invalid character 'x' after decimal point in numeric literal"),
        (b"1ex", "invalid character 'x' in exponent of numeric literal"),
        (b"1e+x", "invalid character 'x' in exponent of numeric literal"),
        (b"trux", "invalid character 'x' in literal true (expecting 'e')"),
        (b"nul1", "invalid character '1' in literal null (expecting 'l')"),
        (b"NaN", "invalid character 'N' looking for beginning of value"),
        (b"[-Infinity]", "invalid character 'I' in numeric literal"),
        (b"\xef\xbb\xbf{}", "invalid character 'ï' looking for beginning of value"),
        (b"\xe2\x82", "invalid character 'â' looking for beginning of value"),
        (b"[" * 10_001, "exceeded max depth"),
        (b"[" * 9_000, "unexpected end of JSON input"),
        (b"1" * 5_000, "json: cannot unmarshal number into Go value"),
    ],
)
def test_malformed_json_is_named_in_gos_words(data: bytes, message: str) -> None:
    """Each kind of malformed input gives the text of encoding/json."""
    with pytest.raises(go_json.GoJSONError) as raised:
        go_json.decode(data)

    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("data", "char"),
    [(b"{}{", "{"), (b"[] x", "x"), (b"01", "1"), (b'"a""b"', '"'), (b"{}\n]", "]"), (b"1,", ",")],
)
def test_content_behind_the_value_is_told_apart(data: bytes, char: str) -> None:
    """A second thing after the first value is TrailingContent, with Go's text."""
    with pytest.raises(go_json.TrailingContent) as raised:
        go_json.decode(data)

    assert str(raised.value) == f"invalid character '{char}' after top-level value"


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"", "EOF"), (b"  ", "EOF"), (b"{", "unexpected EOF"), (b'"a', "unexpected EOF")],
)
def test_a_stream_names_its_end_otherwise(data: bytes, message: str) -> None:
    """Read as Go's Decoder does, the end of the input has the Decoder's names."""
    with pytest.raises(go_json.UnexpectedEnd) as raised:
        go_json.decode(data, stream=True)

    assert str(raised.value) == message


def test_bytes_that_are_not_utf_8_become_replacement_characters() -> None:
    """Bad UTF-8 and half surrogate pairs are replaced, as Go does, never an error."""
    assert go_json.decode(b'"\xff"') == "\ufffd"
    assert go_json.decode(rb'{"a":["\ud800x", "\ud83d\ude00"]}') == {"a": ["\ufffdx", "\U0001f600"]}


def test_encode_escapes_html_and_keeps_the_rest() -> None:
    """The output is compact UTF-8 with Go's HTML escapes."""
    assert go_json.encode({"a": ["<é>&\u2028", None, True]}) == (
        b'{"a":["\\u003c\xc3\xa9\\u003e\\u0026\\u2028",null,true]}'
    )


def test_quote_is_gos_q() -> None:
    """Quotes and control characters are escaped as %q does."""
    assert go_json.quote('a"b\\c\n\x01é') == r'"a\"b\\c\n\x01é"'


@given(JSON_VALUES)
def test_what_is_encoded_decodes_to_itself(value: object) -> None:
    """Encode and decode are each other's inverse."""
    assert go_json.decode(go_json.encode(value)) == value


@given(st.binary() | st.text('{}[]",:truefalsn\\u0123.-+eE x').map(str.encode))
def test_every_input_decodes_or_is_refused(data: bytes) -> None:
    """No input raises anything but GoJSONError, and what Python's strict decoder takes passes."""
    try:
        go_json.decode(data)
    except go_json.GoJSONError:
        with pytest.raises(ValueError):
            json.loads(data.decode("utf-8", "replace"), parse_constant=int)
