"""ports.Logins: Docker's config.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from services.cli.domain import login
from services.cli.domain.login import Login
from shared import errdefs


class DockerConfig:
    """The file in DOCKER_CONFIG, or in ~/.docker."""

    def __init__(self, env: Mapping[str, str]) -> None:
        folder = env.get("DOCKER_CONFIG") or Path.home() / ".docker"
        self._path = Path(folder) / "config.json"

    def find(self, domain: str) -> Login:
        """Return the login for a registry; raises InvalidArgument for a file that is broken."""
        try:
            config = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return Login()
        except (OSError, ValueError) as error:
            raise errdefs.InvalidArgument(
                f"cannot read Docker's logins in {self._path}: {error}; mend the file, or name "
                "another folder with DOCKER_CONFIG"
            ) from error
        return login.find(config if isinstance(config, dict) else {}, domain)
