"""The version of Wherry, said once."""

from __future__ import annotations

VERSION = "0.1.0"
#: The dockerd whose behaviour is followed.
DOCKER_VERSION = "28.3.0"
