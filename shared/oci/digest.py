"""Content digests: the value, and hashing while bytes pass by."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Protocol, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from shared import errdefs

_FORM = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
_SHA256_HEX = re.compile(r"[a-f0-9]{64}")


class Digest(str):
    """A sha256 digest, ``sha256:`` and 64 lower-case hex digits; nothing else can be built.

    Raises InvalidArgument in the words of opencontainers/go-digest.
    """

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        """Check *value* and make it a Digest."""
        algorithm, _, encoded = value.partition(":")
        if not _FORM.fullmatch(value):
            raise errdefs.InvalidArgument("invalid checksum digest format")
        if algorithm != "sha256":
            raise errdefs.InvalidArgument("unsupported digest algorithm")
        if len(encoded) != 64:
            raise errdefs.InvalidArgument("invalid checksum digest length")
        if not _SHA256_HEX.fullmatch(encoded):
            raise errdefs.InvalidArgument("invalid checksum digest format")
        return super().__new__(cls, value)

    @property
    def hex(self) -> str:
        """Return the 64 hex digits."""
        return self[len("sha256:") :]

    @property
    def short(self) -> str:
        """Return the first 12 hex digits, as progress lines show them."""
        return self.hex[:12]

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Let pydantic models hold a Digest; a bad one is a validation error."""
        return core_schema.no_info_after_validator_function(
            cls._validated,
            core_schema.str_schema(),
            serialization=core_schema.to_string_ser_schema(),
        )

    @classmethod
    def _validated(cls, value: str) -> Digest:
        try:
            return cls(value)
        except errdefs.InvalidArgument as error:
            raise ValueError(error.message) from error


class Digester:
    """The running digest and size of bytes that pass by."""

    __slots__ = ("_hash", "size")

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.size = 0

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Count and hash *data*."""
        self._hash.update(data)
        self.size += len(data)

    def digest(self) -> Digest:
        """Return the digest of what has passed so far."""
        return Digest(f"sha256:{self._hash.hexdigest()}")


def digest_of(data: bytes) -> Digest:
    """Return the digest of *data*."""
    return Digest(f"sha256:{hashlib.sha256(data).hexdigest()}")


class Reader(Protocol):
    """Something bytes can be read from until it returns none."""

    def read(self, size: int, /) -> bytes:
        """Return at most *size* bytes, empty only at the end."""
        ...


class VerifyingReader:
    """Hand bytes on and refuse, at their end, those that are not what was promised.

    A reader that stops early calls ``verify`` itself.
    """

    __slots__ = ("_digester", "_expected", "_expected_size", "_source")

    def __init__(self, source: Reader, *, digest: Digest, size: int) -> None:
        self._source = source
        self._expected = digest
        self._expected_size = size
        self._digester = Digester()

    def read(self, size: int, /) -> bytes:
        """Return at most *size* bytes; raises InvalidArgument where they do not verify."""
        data = self._source.read(size)
        self._digester.update(data)
        if self._digester.size > self._expected_size or (size and not data):
            self.verify()
        return data

    def verify(self) -> None:
        """Raise InvalidArgument unless exactly the promised bytes have passed."""
        verify(self._digester, digest=self._expected, size=self._expected_size)


def verify(digester: Digester, *, digest: Digest, size: int) -> None:
    """Raise InvalidArgument, in containerd's words, unless *digester* saw just that content."""
    if digester.size != size:
        raise errdefs.InvalidArgument(
            f"unexpected commit size {digester.size}, expected {size}: failed precondition",
            detail={"size": digester.size, "expected_size": size, "expected_digest": digest},
        )
    if digester.digest() != digest:
        actual = digester.digest()
        raise errdefs.InvalidArgument(
            f"unexpected commit digest {actual}, expected {digest}: failed precondition",
            detail={"digest": actual, "expected_digest": digest},
        )
