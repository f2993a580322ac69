"""Roles, and tokens as they are kept."""

from __future__ import annotations

import pytest

from shared import errdefs
from shared.access import Role, Token, TokenFile, digest, new_secret


def _token(name: str, secret: str, role: Role = Role.READ) -> Token:
    return Token(name=name, role=role, sha256=digest(secret))


def test_a_file_gives_the_tokens_that_it_was_written_of() -> None:
    """What is written is read again, roles by their names."""
    file = TokenFile(tokens=(_token("ci", "a", Role.OPERATE), _token("root", "b", Role.ADMIN)))

    assert TokenFile.parse(file.to_json()) == file
    assert b'"role": "operate"' in file.to_json()


def test_a_token_is_found_by_what_was_shown() -> None:
    """The whole token counts, and nothing that is near it; what is kept is no token."""
    secret = new_secret()
    file = TokenFile(tokens=(_token("other", new_secret()), _token("mine", secret)))

    found = file.find(secret)

    assert found is not None
    assert found.name == "mine"
    assert file.find(secret[:-1]) is None
    assert file.find(found.sha256) is None
    assert file.find("") is None


def test_a_secret_is_not_in_the_file() -> None:
    """Whoever reads the disk finds nothing to show at the door."""
    secret = new_secret()

    content = TokenFile().with_new(_token("ci", secret)).to_json()

    assert secret.encode() not in content
    assert secret.removeprefix("wherry_").encode() not in content


def test_secrets_differ() -> None:
    """No two are the same, and each has 256 random bits."""
    assert new_secret() != new_secret()
    assert len(new_secret()) >= 43


def test_names_are_taken_once_and_given_back() -> None:
    """A second token of a name is refused until the first one is removed."""
    file = TokenFile().with_new(_token("ci", "a"))

    with pytest.raises(errdefs.AlreadyExists, match="remove it first"):
        file.with_new(_token("ci", "b"))

    assert file.without("ci") == TokenFile()
    with pytest.raises(errdefs.NotFound, match="wherry token ls"):
        file.without("other")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "Invalid JSON"),
        (b'{"tokens": [{"name": "x", "role": "boss", "sha256": ""}]}', "read, operate, admin"),
        (b'{"tokens": [{"name": "x", "role": "read", "sha256": "s3cr3t"}]}', "SHA-256"),
        (b'{"tokens": [{"name": "../x", "role": "read", "sha256": ""}]}', "a name is"),
        (b'{"token": []}', "Extra inputs"),
    ],
    ids=["empty", "role", "hash", "name", "key"],
)
def test_what_is_wrong_is_told_and_not_quoted(content: bytes, complaint: str) -> None:
    """The complaint names the place and the rule, and repeats nothing of a mistyped token."""
    with pytest.raises(errdefs.InvalidArgument, match=complaint) as caught:
        TokenFile.parse(content)
    assert "s3cr3t" not in caught.value.message


def test_two_of_one_name_are_refused() -> None:
    """A file that was written by hand can't hide one token behind another."""
    file = TokenFile(tokens=(_token("ci", "a"), _token("ci", "b")))

    with pytest.raises(errdefs.InvalidArgument, match="two tokens are called ci"):
        TokenFile.parse(file.to_json())
