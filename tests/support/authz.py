"""An authorization plugin whose verdicts a test decides."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.plugin_server import PluginServer

BEFORE = "AuthZPlugin.AuthZReq"
AFTER = "AuthZPlugin.AuthZRes"

#: A status and what the body says.
Verdict = tuple[int, dict[str, Any]]

ALLOWED: Verdict = (200, {"Allow": True})


def denied(msg: str) -> Verdict:
    """Return a refusal."""
    return 200, {"Allow": False, "Msg": msg}


def failed(msg: str) -> Verdict:
    """Return an error of the plugin's own."""
    return 500, {"Err": msg}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question that the plugin was asked."""

    hook: str
    args: dict[str, Any]

    @property
    def uri(self) -> str:
        """Return the request's."""
        return str(self.args.get("RequestUri", ""))

    def body(self, key: str = "RequestBody") -> bytes:
        """Return the body as it was shown."""
        return base64.b64decode(self.args.get(key, ""))


@dataclass(slots=True)
class AuthzPlugin:
    """What is answered: the verdict of the longest part of a URI that fits, else leave."""

    before: dict[str, Verdict] = field(default_factory=dict)
    after: dict[str, Verdict] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    implements: tuple[str, ...] = ("authz",)
    #: Cleared, nothing is answered until it is set again.
    answers: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        """Begin to answer."""
        self.answers.set()

    def reset(self) -> None:
        """Allow all, and forget what was asked."""
        self.before.clear()
        self.after.clear()
        self.asked.clear()
        self.answers.set()

    def answer(self, method: str, args: dict[str, Any]) -> tuple[int, Any]:
        """Answer a call."""
        if method == "Plugin.Activate":
            return 200, {"Implements": list(self.implements)}
        asked = Asked(hook=method, args=args)
        self.asked.append(asked)
        self.answers.wait(60)
        verdicts = self.before if method == BEFORE else self.after
        fitting = sorted((part for part in verdicts if part in asked.uri), key=len)
        return verdicts[fitting[-1]] if fitting else ALLOWED

    def hooks(self, uri: str) -> list[str]:
        """Return which hooks were asked of requests whose URI holds this."""
        return [asked.hook for asked in self.asked if uri in asked.uri]

    def last(self, hook: str, uri: str = "") -> Asked:
        """Return the last question of a hook about a URI that holds this."""
        return next(a for a in reversed(self.asked) if a.hook == hook and uri in a.uri)

    @contextmanager
    def served(self, at: Path) -> Iterator[PluginServer]:
        """Serve it on a unix socket."""
        at.parent.mkdir(parents=True, exist_ok=True)
        at.unlink(missing_ok=True)
        with PluginServer(at, self.answer) as server:
            yield server
