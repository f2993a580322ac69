"""Many connections at once, by h2load: a client that costs a small part of what it measures."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.bench.failure import BenchFailed

CONNECTIONS = 32
_RATE = re.compile(r"finished in .*?, ([\d.]+) req/s")
_REQUESTS = re.compile(r"(\d+) succeeded, (\d+) failed, (\d+) errored")
_STATUS = re.compile(r"status codes: (\d+) 2xx")
_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What came of it."""

    requests: int
    requests_per_s: float


def get(socket: Path, path: str, *, seconds: int) -> Load:
    """GET *path* over CONNECTIONS connections, each with one request at a time."""
    command = ["h2load", "--h1", f"--clients={CONNECTIONS}", f"--duration={seconds}"]
    command += [f"--base-uri=unix:{socket}", f"http://docker{path}"]
    try:
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=_LIMIT_S + seconds
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise BenchFailed(f"h2load: {error}; `make bench` installs it, as root") from error
    return read(done.stdout)


def read(output: str) -> Load:
    """Read what h2load prints; raises BenchFailed where a request was not answered with 2xx."""
    rate, requests, fine = (kind.search(output) for kind in (_RATE, _REQUESTS, _STATUS))
    if rate is None or requests is None or fine is None:
        raise BenchFailed(f"h2load said nothing that is understood: {output[-1000:]}")
    succeeded, failed, errored = map(int, requests.groups())
    if not succeeded or failed or errored or int(fine[1]) < succeeded:
        raise BenchFailed(f"not every request was answered well: {output[-1000:]}")
    return Load(requests=succeeded, requests_per_s=float(rate[1]))
