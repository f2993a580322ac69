"""Which handler a method and a path without its version mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from services.gateway.entrypoints.http import Handler, Response


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A method and a path such as `/plugins/{name}/json`; *name* may hold slashes and colons."""

    method: str
    template: str
    handler: Handler
    #: What the handler would answer at this moment, where it has nothing to wait for; raises
    #: errdefs where it had, or would refuse. Depends on nothing of the request but its path.
    now: Callable[[Mapping[str, str]], Response] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A route that was found, and what its placeholders stand for."""

    route: Route
    params: Mapping[str, str]


class Router:
    """Finds routes, those without placeholders first."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = tuple(routes)
        self._plain: dict[tuple[str, str], Match] = {}
        self._patterns: dict[str, list[tuple[re.Pattern[str], Route]]] = {}
        for route in routes:
            if "{" in route.template:
                pattern = re.compile(_to_pattern(route.template), re.DOTALL)
                self._patterns.setdefault(route.method, []).append((pattern, route))
            else:
                self._plain[route.method, route.template] = Match(route=route, params={})

    def find(self, method: str, path: str) -> Match | None:
        """Return the route for *path*, or None: dockerd tells no wrong method from a wrong path."""
        plain = self._plain.get((method, path))
        if plain is not None:
            return plain
        for pattern, route in self._patterns.get(method, ()):
            found = pattern.fullmatch(path)
            if found is not None:
                return Match(route=route, params=found.groupdict())
        return None


def _to_pattern(template: str) -> str:
    return re.sub(r"\{(\w+)\}", r"(?P<\1>.*)", template)
