"""What a client wishes of a new volume: the body of POST /volumes/create."""

from __future__ import annotations

import secrets
from typing import ClassVar, Final

from pydantic import Field

from shared.contracts.volume import LOCAL, CreateVolume
from shared.oci.go_struct import GoStruct

#: Marks a volume that nobody gave a name.
ANONYMOUS: Final = "com.docker.volume.anonymous"


class ClusterVolumeSpec(GoStruct):
    """A volume of a swarm; nothing of it is looked at."""

    PACKAGE: ClassVar[str] = "volume"


class CreateOptions(GoStruct):
    """Docker's names; None is a map that was not sent."""

    PACKAGE: ClassVar[str] = "volume"

    cluster_volume_spec: ClusterVolumeSpec | None = Field(default=None, alias="ClusterVolumeSpec")
    driver: str = Field(default="", alias="Driver")
    driver_opts: dict[str, str] | None = Field(default=None, alias="DriverOpts")
    labels: dict[str, str] | None = Field(default=None, alias="Labels")
    name: str = Field(default="", alias="Name")

    def to_command(self) -> CreateVolume:
        """Return what is asked of the volume service; without a name, an anonymous volume."""
        if self.name:
            return CreateVolume(
                name=self.name, driver=self.driver, options=self.driver_opts, labels=self.labels
            )
        return CreateVolume(
            # Made here, so that the command's redelivery names the same volume.
            name=secrets.token_hex(32),
            driver=self.driver or LOCAL,
            options=self.driver_opts,
            labels={**(self.labels or {}), ANONYMOUS: ""},
        )
