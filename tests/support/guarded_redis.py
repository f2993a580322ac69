"""A Redis with a user for each service, as deploy/redis makes them, over TLS on a loopback port."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from deploy.redis.__main__ import write
from tests.support import tls
from tests.support.redis import RedisServer
from tests.support.registry import free_port


class GuardedRedis(RedisServer):
    """A redis-server that lets nobody in but the users of some nodes."""

    def __init__(self, *nodes: str) -> None:
        super().__init__()
        self.port = free_port()
        self.keys = self.folder / "keys"
        write(self.keys, list(nodes), redis_uid=os.getuid())
        self.authority = tls.make_authority(self.folder / "tls")
        self._pair = tls.issue(self.folder / "tls", self.authority, "redis")

    def settings(self, node: str) -> dict[str, str]:
        """Return what the services of a node are told."""
        return {
            "WHERRY_REDIS_URL": (
                f"rediss://{{service}}.{node}@127.0.0.1:{self.port}/0"
                f"?ssl_ca_certs={self.authority.certificate}"
            ),
            "WHERRY_REDIS_PASSWORD_FILE": str(self.keys / node / "{service}"),
        }

    def run(self, path: str, user: str, *words: str) -> str:
        """Run one command as a user whose password is in *path*; return what Redis says."""
        password = (self.keys / path).read_text()
        speaks_tls = ("--tls", "--cacert", str(self.authority.certificate))
        argv = ["redis-cli", "-p", str(self.port), *speaks_tls, "--user", user]
        argv += ["--no-auth-warning", *words]
        done = subprocess.run(
            argv,
            env={**os.environ, "REDISCLI_AUTH": password},
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
        return done.stdout.rstrip("\n")

    def command(self, *words: str) -> str:
        """Run one command as the administrator."""
        return self.run("admin", "admin", *words)

    def refusals(self) -> list[dict[str, Any]]:
        """Return what Redis has refused to its users."""
        entries: list[dict[str, Any]] = json.loads(self.command("--json", "ACL", "LOG"))
        return entries

    def _argv(self) -> list[str]:
        return [
            *super()._argv(),
            *("--bind", "127.0.0.1", "--tls-port", str(self.port), "--tls-auth-clients", "no"),
            *("--tls-cert-file", str(self._pair.certificate)),
            *("--tls-key-file", str(self._pair.key)),
            *("--tls-ca-cert-file", str(self.authority.certificate)),
            *("--aclfile", str(self.keys / "users.acl")),
        ]
