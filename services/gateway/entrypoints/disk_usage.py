"""Docker's route about what takes room on the disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.gateway.domain import api_version, volume_json
from services.gateway.entrypoints.http import Request, Response, json_response
from services.gateway.entrypoints.router import Route
from services.gateway.service.volumes import Volumes
from shared import errdefs

#: Docker's kinds of objects, and where each is in the answer.
_KEYS: Final = {
    "image": "Images",
    "container": "Containers",
    "volume": "Volumes",
    "build-cache": "BuildCache",
}
#: Since it one may ask for some of them only.
_TYPES_VERSION: Final = "1.42"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskUsageRoutes:
    """The handler of GET /system/df."""

    volumes: Volumes

    def routes(self) -> tuple[Route, ...]:
        """Return the table."""
        return (Route(method="GET", template="/system/df", handler=self.disk_usage),)

    async def disk_usage(self, request: Request) -> Response:
        """Tell what the objects of the asked types take; null stands for those not asked for."""
        wanted = _types(request)
        # Of images, containers and build caches there are none.
        usage: dict[str, object] = {
            key: [] if name in wanted else None for name, key in _KEYS.items()
        }
        if "volume" in wanted:
            report = await self.volumes.usage()
            usage["Volumes"] = [volume_json.usage_object(one) for one in report.volumes]
        return json_response({"LayersSize": 0, **usage})


def _types(request: Request) -> frozenset[str]:
    asked = request.forms("type")
    if not asked or api_version.is_below(request.version, _TYPES_VERSION):
        return frozenset(_KEYS)
    for name in asked:
        if name not in _KEYS:
            raise errdefs.InvalidArgument(f"unknown object type: {name}")
    return frozenset(asked)
