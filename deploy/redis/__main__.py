"""Write Redis' users and their passwords: `python -m deploy.redis --node alpha DIRECTORY`.

DIRECTORY gets `users.acl`, a password for each user that has none yet in `<node>/<service>`, and
the administrator's in `admin`. A repeat keeps the passwords, so nodes may be added, and the file
follows the table of this release.
"""

from __future__ import annotations

import argparse
import os
import secrets
from pathlib import Path

from deploy.redis.acl import ANY, administrator, users
from deploy.redis.services import SERVICES


def main() -> None:
    """Write what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m deploy.redis", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--node", action="append", default=[], help="may be given again")
    parser.add_argument("--fleet", help="users for all nodes, named after this, in place of each")
    parser.add_argument("--redis-user", type=int, default=os.getuid(), help="who reads users.acl")
    said = parser.parse_args()
    if not said.node and not said.fleet:
        parser.error("name a --node or a --fleet")
    write(said.directory, said.node, redis_uid=said.redis_user, fleet=said.fleet)


def write(directory: Path, nodes: list[str], *, redis_uid: int, fleet: str | None = None) -> None:
    """Write the users of these nodes, and a password for whoever has none; safe to repeat.

    A *fleet*'s users are those of every node: for where nodes come and go by themselves.
    """
    directory.mkdir(parents=True, exist_ok=True)
    lines = [*administrator(_password(directory / "admin"))]
    for node in nodes:
        lines += users(node, _passwords(directory / node))
    if fleet:
        lines += users(fleet, _passwords(directory / fleet), nodes=ANY)
    _write(directory / "users.acl", "".join(f"{line}\n" for line in lines), uid=redis_uid)


def _passwords(folder: Path) -> dict[str, str]:
    return {service.name: _password(folder / service.name) for service in SERVICES}


def _password(path: Path) -> str:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, secrets.token_urlsafe(32), uid=os.getuid())
    return path.read_text()


def _write(path: Path, text: str, *, uid: int) -> None:
    """Put a file in its place whole, readable by one user."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        os.fchown(descriptor, uid, -1)
    new.rename(path)


if __name__ == "__main__":
    main()
