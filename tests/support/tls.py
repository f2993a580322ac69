"""A certificate authority of a test's own, by the openssl command."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


def make_authority(folder: Path, name: str = "ca") -> Pair:
    """Make a CA that signs itself."""
    pair = _pair(folder, name)
    _openssl("req", "-x509", *_new_key(pair), "-subj", f"/CN={name}", "-days", "2",
             "-out", str(pair.certificate))  # fmt: skip
    return pair


def issue(folder: Path, authority: Pair, name: str) -> Pair:
    """Make a pair for 127.0.0.1, 0.0.0.0 and localhost, good for servers and clients."""
    pair = _pair(folder, name)
    request = folder / f"{name}.csr"
    extensions = folder / f"{name}.ext"
    extensions.write_text("subjectAltName=IP:127.0.0.1,IP:0.0.0.0,DNS:localhost\n")
    _openssl("req", *_new_key(pair), "-subj", f"/CN={name}", "-out", str(request))
    _openssl("x509", "-req", "-in", str(request), "-CA", str(authority.certificate),
             "-CAkey", str(authority.key), "-CAcreateserial", "-days", "2",
             "-extfile", str(extensions), "-out", str(pair.certificate))  # fmt: skip
    return pair


def sign(key: Path, data: bytes) -> bytes:
    """Sign *data* as RS256 has it."""
    argv = ["openssl", "dgst", "-sha256", "-sign", str(key)]
    return subprocess.run(argv, input=data, capture_output=True, check=True).stdout


def _pair(folder: Path, name: str) -> Pair:
    folder.mkdir(parents=True, exist_ok=True)
    return Pair(certificate=folder / f"{name}.pem", key=folder / f"{name}.key")


def _new_key(pair: Pair) -> list[str]:
    return ["-newkey", "rsa:2048", "-nodes", "-keyout", str(pair.key)]


def _openssl(*args: str) -> None:
    subprocess.run(["openssl", *args], capture_output=True, check=True)
