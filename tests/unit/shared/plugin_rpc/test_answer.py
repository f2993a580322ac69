"""Answers of plugins, read as Docker reads them."""

from __future__ import annotations

import pytest

from shared.plugin_rpc import answer


def test_keys_in_any_case() -> None:
    """A key is found however the plugin wrote it, in lists and objects below as well."""
    read = answer.read("M", 200, b'{"mountpoint":"/x","VOLUMES":[{"name":"v","Status":{"a":1}}]}')
    assert read["Mountpoint"] == "/x"
    assert "MountPoint" in read
    assert read.get("Volumes")[0]["Name"] == "v"
    assert read["Volumes"][0]["status"] == {"a": 1}
    assert read.get("Err", "") == ""


def test_the_exact_key_comes_first() -> None:
    """Among keys that differ only in case the exact one counts, else the last."""
    read = answer.read("M", 200, b'{"ERR":"1","Err":"2","err":"3"}')
    assert read["Err"] == "2"
    assert read["eRR"] == "3"


def test_null_is_the_zero_value() -> None:
    """A null says as little as a missing key."""
    assert answer.read("M", 200, b'{"Err":null}').get("Err", "") == ""


@pytest.mark.parametrize("body", [b"", b"\n", b"null", b"{}"])
def test_an_empty_answer_says_nothing(body: bytes) -> None:
    """No body, null and an empty object are the same."""
    assert answer.read("M", 200, body) == {}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"<html>", "M: the answer is no JSON: invalid character '<' looking for beginning"),
        (b"[1]", "M: the answer is JSON, but no object"),
    ],
)
def test_an_answer_that_is_none(body: bytes, text: str) -> None:
    """What is no JSON object is an error that names the method."""
    with pytest.raises(answer.RemoteError) as error:
        answer.read("M", 200, body)
    assert error.value.message.startswith(text)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"Err":"no space"}', "V.Create: no space"),
        (b'{"err":"no space"}', "V.Create: no space"),
        (b'{"Err":""}', 'V.Create: {"Err":""}'),
        (b"404 page not found\n", "V.Create: 404 page not found\n"),
        (b'"x"', 'V.Create: "x"'),
    ],
)
def test_error_texts(body: bytes, text: str) -> None:
    """An error is the method and the Err field, or else the body as it came."""
    error = answer.read_error("V.Create", 404, body)
    assert error.message == text
    assert error.is_not_found
    assert error.docker_unclassed
