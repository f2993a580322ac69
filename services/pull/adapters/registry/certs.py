"""Whom we trust, and who we are, in TLS: Docker's certs.d tree."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.pull.adapters.registry.reasons import in_words
from shared import errdefs

#: Names and times of the files of a folder: it changes when they do.
Stamp = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """The folder of one registry: ``*.crt`` are CAs, ``X.cert`` and ``X.key`` a client's pair."""

    folder: Path

    def stamp(self) -> Stamp:
        """Return what tells whether anything changed since; empty without a folder."""
        return tuple((path.name, path.stat().st_mtime_ns) for path in self._files())

    def context(self, *, is_verified: bool, with_client_pair: bool) -> ssl.SSLContext:
        """Build the TLS context: the system's CAs and those of the folder.

        Raises InvalidArgument for a file that can't be used, in Docker's words where it has any.
        """
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        for path in self._files():
            if path.suffix == ".crt":
                with _usable(path):
                    context.load_verify_locations(path)
        if with_client_pair:
            for certificate, key in self._client_pairs():
                with _usable(certificate):
                    context.load_cert_chain(certificate, key, password="")
        if not is_verified:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _files(self) -> list[Path]:
        try:
            return sorted(self.folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise errdefs.InvalidArgument(
                f"cannot read certificates in {self.folder}: {error.strerror}: "
                "make it readable for Wherry"
            ) from error

    def _client_pairs(self) -> list[tuple[Path, Path]]:
        files = self._files()
        names = {path.name for path in files}
        for path in files:
            if path.suffix == ".cert" and f"{path.stem}.key" not in names:
                raise errdefs.InvalidArgument(
                    f"missing key {path.stem}.key for client certificate {path.name} in "
                    f"{self.folder}. CA certificates must use the extension .crt"
                )
            if path.suffix == ".key" and f"{path.stem}.cert" not in names:
                raise errdefs.InvalidArgument(
                    f"missing client certificate {path.stem}.cert for key {path.name} in "
                    f"{self.folder}"
                )
        return [(path, path.with_suffix(".key")) for path in files if path.suffix == ".cert"]


@contextmanager
def _usable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:  # ssl.SSLError is one
        raise errdefs.InvalidArgument(
            f"cannot use certificate {path}: {in_words(error)}: replace or remove it"
        ) from error
