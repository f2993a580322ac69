"""Digests and hashing readers."""

from __future__ import annotations

import hashlib
import io

import pytest
from pydantic import BaseModel, ValidationError

from shared import errdefs
from shared.oci.digest import Digest, Digester, VerifyingReader, digest_of

HELLO = f"sha256:{hashlib.sha256(b'hello').hexdigest()}"


def read_all(reader: VerifyingReader, size: int) -> None:
    while reader.read(size):
        continue


def test_digest_is_a_string_with_parts() -> None:
    """A digest is its own text, and knows its hex and short form."""
    digest = Digest(HELLO)

    assert digest == HELLO
    assert digest.hex == HELLO[7:]
    assert digest.short == HELLO[7:19]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "invalid checksum digest format"),
        ("abc", "invalid checksum digest format"),
        ("sha256:", "invalid checksum digest format"),
        ("sha256:abc", "invalid checksum digest length"),
        ("sha256:" + "A" * 64, "invalid checksum digest format"),
        ("sha256:" + "a" * 65, "invalid checksum digest length"),
        ("sha512:" + "a" * 128, "unsupported digest algorithm"),
        (HELLO + "\n", "invalid checksum digest format"),
        ("../../etc/passwd", "invalid checksum digest format"),
    ],
)
def test_a_malformed_digest_is_refused(value: str, message: str) -> None:
    """Nothing but a whole sha256 digest can become a Digest."""
    with pytest.raises(errdefs.InvalidArgument) as raised:
        Digest(value)

    assert raised.value.message == message


def test_a_pydantic_model_holds_a_digest() -> None:
    """A model validates a digest, keeps its type and writes it as a string."""

    class Model(BaseModel):
        digest: Digest

    model = Model.model_validate_json(f'{{"digest":"{HELLO}"}}')

    assert type(model.digest) is Digest
    assert model.model_dump_json() == f'{{"digest":"{HELLO}"}}'
    with pytest.raises(ValidationError, match="invalid checksum digest"):
        Model(digest="nonsense")


def test_digester_counts_and_hashes() -> None:
    """A digester fed in pieces ends at the digest of the whole."""
    digester = Digester()
    digester.update(b"hel")
    digester.update(b"lo")

    assert (digester.digest(), digester.size) == (digest_of(b"hello"), 5)


def test_verifying_reader_passes_what_was_promised() -> None:
    """The promised bytes pass through unchanged."""
    reader = VerifyingReader(io.BytesIO(b"hello"), digest=Digest(HELLO), size=5)

    assert reader.read(3) + reader.read(3) + reader.read(3) == b"hello"


@pytest.mark.parametrize("content", [b"hell", b"hello!", b""])
def test_verifying_reader_refuses_a_wrong_size(content: bytes) -> None:
    """Too few and too many bytes are refused in containerd's words."""
    reader = VerifyingReader(io.BytesIO(content), digest=Digest(HELLO), size=5)

    with pytest.raises(
        errdefs.InvalidArgument, match=rf"unexpected commit size {len(content)}, expected 5: failed"
    ):
        read_all(reader, 100)


def test_verifying_reader_refuses_wrong_content() -> None:
    """Bytes of the right number and another content are refused."""
    reader = VerifyingReader(io.BytesIO(b"hullo"), digest=Digest(HELLO), size=5)

    with pytest.raises(errdefs.InvalidArgument, match=f"expected {HELLO}: failed precondition"):
        read_all(reader, 2)
