"""What a layer costs at the least: `python -m tests.bench.floor LAYER FOLDER` prints the ms.

Read, both digests, igzip, and GNU tar, which writes the files: nothing is downloaded, kept,
checked or synced, and nobody is told.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from isal import igzip_lib

_PIECE = 512 << 10


def main(layer: str, folder: str) -> None:
    """Unpack *layer* into *folder*, which is empty."""
    began = time.perf_counter()
    command = ["tar", "-x", "--numeric-owner", "-p", "-C", folder]
    tar = subprocess.Popen(command, stdin=subprocess.PIPE)
    assert tar.stdin is not None
    with Path(layer).open("rb") as file, tar.stdin as pipe:
        _feed(file, pipe)
    if status := tar.wait():
        sys.exit(f"tar ended with {status}")
    sys.stdout.write(f"{1000 * (time.perf_counter() - began)}\n")


def _feed(layer: IO[bytes], pipe: IO[bytes]) -> None:
    digest, diff_id = hashlib.sha256(), hashlib.sha256()
    gzip = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    while data := layer.read(_PIECE):
        digest.update(data)
        plain = gzip.decompress(data)
        diff_id.update(plain)
        pipe.write(plain)


if __name__ == "__main__":
    main(*sys.argv[1:])
