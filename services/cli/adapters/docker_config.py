"""ports.Logins: Docker's config.json, and the credential helpers that it names."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from services.cli.domain import login
from services.cli.domain.login import Login
from shared import errdefs

#: A helper may ask a person, for the key of a keyring.
_HELPER_S: Final = 120.0
#: What each of Docker's helpers says of a registry that it has no login for.
_NOT_FOUND: Final = b"credentials not found"


class DockerConfig:
    """The file in DOCKER_CONFIG, or in ~/.docker."""

    def __init__(self, env: Mapping[str, str]) -> None:
        folder = env.get("DOCKER_CONFIG") or Path.home() / ".docker"
        self._path = Path(folder) / "config.json"

    def find(self, domain: str) -> Login:
        """Return the login for a registry; raises InvalidArgument for a file that is broken.

        A helper goes before the file, as in the docker CLI; one that fails is told in a note.
        """
        config = self._read()
        helper = login.helper_of(config, domain)
        kept = _ask(helper, domain) if helper else Login()
        return kept if kept.fields else _noted(login.find(config, domain), kept.note)

    def _read(self) -> Mapping[str, Any]:
        try:
            config = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise errdefs.InvalidArgument(
                f"cannot read Docker's logins in {self._path}: {error}; mend the file, or name "
                "another folder with DOCKER_CONFIG"
            ) from error
        return config if isinstance(config, dict) else {}


def _noted(found: Login, note: str) -> Login:
    return found if found.fields else Login(note=note)


def _ask(helper: str, domain: str) -> Login:
    """Run a helper, which is told a registry on its input and answers on its output."""
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run(
            [program, "get"],
            input=login.server_of(domain).encode(),
            stdout=subprocess.PIPE,  # what it asks a person goes to their terminal
            timeout=_HELPER_S,
            check=False,
        )
        if done.returncode == 0:
            return login.from_helper(done.stdout, domain)
        if _NOT_FOUND in done.stdout:
            return Login()
        why = f"it ended with status {done.returncode}"
    except FileNotFoundError:
        why = "it is not on PATH: install it"
    except OSError as error:
        why = f"it cannot be run: {error.strerror}"
    except subprocess.TimeoutExpired:
        why = f"it did not answer within {_HELPER_S:g} s"
    except (ValueError, KeyError, TypeError):
        # What it said may hold the secret.
        why = "it answered with something else than a login"
    return Login(note=f"not logged in to {domain}: Docker keeps that login in {program}, and {why}")
