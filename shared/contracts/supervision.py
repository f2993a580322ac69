"""How a plugin is supervised: when it is started again, how it is asked, what it needs first.

Its author declares it in config.json; what an operator sets counts instead.
"""

import re
from enum import StrEnum
from typing import Final, Self

from pydantic import Field, ValidationError

from shared import errdefs
from shared.contracts.message import Value
from shared.oci import reference
from shared.oci.plugin_extension import HealthExtension, PluginExtension

#: How a requirement on a capability begins, as in Docker's filters.
CAPABILITY: Final = "capability="

_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|h|m|s))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_METHOD = re.compile(r"[A-Za-z][A-Za-z0-9]*\.[A-Za-z][A-Za-z0-9]*")
_LONGEST_S = 86_400.0


class RestartPolicyName(StrEnum):
    """When a plugin that ended by itself is started again, in Docker's words."""

    ALWAYS = "always"
    ON_FAILURE = "on-failure"
    NO = "no"


class RestartPolicy(Value):
    """Docker's restart policy; pauses grow whatever it says."""

    name: RestartPolicyName = RestartPolicyName.ALWAYS
    #: Of on-failure: restarts in a row that did not last, after which it is given up; 0: never.
    maximum_retry_count: int = Field(default=0, ge=0, le=1_000_000)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `always`, `no`, `on-failure` or `on-failure:<retries>`; raises InvalidArgument."""
        name, colon, count = text.partition(":")
        known = name in set(RestartPolicyName)
        is_counted = name == RestartPolicyName.ON_FAILURE and count.isascii() and count.isdigit()
        if not known or (colon and not is_counted) or len(count) > len("999999"):
            raise errdefs.InvalidArgument(
                f"restart policy {text} is invalid: it is always, no, on-failure or "
                "on-failure:<retries>"
            )
        return cls(name=RestartPolicyName(name), maximum_retry_count=int(count or 0))

    def __str__(self) -> str:
        return f"{self.name}:{self.maximum_retry_count}" if self.maximum_retry_count else self.name


class OnUnhealthy(StrEnum):
    """What is done to a plugin that became unhealthy."""

    NOTHING = "nothing"
    #: It is stopped, which counts as a failed run: its restart policy says what follows.
    RESTART = "restart"


class Health(Value):
    """How a running plugin is asked whether it still works, in the words of HEALTHCHECK."""

    #: `CONNECT`; `CALL` and a method; `CMD` and a program with its arguments; or `NONE`.
    test: tuple[str, ...] = ("NONE",)
    interval_s: float = Field(default=10.0, ge=0.1, le=_LONGEST_S)
    timeout_s: float = Field(default=5.0, gt=0, le=_LONGEST_S)
    #: Failures within it count only once the plugin was healthy.
    start_period_s: float = Field(default=0.0, ge=0, le=_LONGEST_S)
    #: Failures in a row that make it unhealthy.
    retries: int = Field(default=3, ge=1, le=1000)
    on_unhealthy: OnUnhealthy = OnUnhealthy.NOTHING

    @property
    def is_none(self) -> bool:
        """Tell whether it is not asked at all."""
        return self.test == ("NONE",)

    def check(self) -> None:
        """Raise InvalidArgument unless *test* is one of the four forms."""
        match self.test:
            case ("NONE",) | ("CONNECT",):
                return
            case ("CALL", method) if _METHOD.fullmatch(method):
                return
            case ("CMD", program, *_) if program:
                return
        raise errdefs.InvalidArgument(
            f"health test {list(self.test)} is invalid: it is [NONE], [CONNECT], "
            "[CALL, <Service.Method>] or [CMD, <program>, <arguments> …]"
        )


class Part(StrEnum):
    """What can be set by itself."""

    RESTART_POLICY = "restart_policy"
    HEALTH = "health"
    REQUIRES = "requires"


class Supervision(Value):
    """What one side says, the author or the operator; None: nothing."""

    restart_policy: RestartPolicy | None = None
    health: Health | None = None
    #: Plugins that must be ready first: names with a tag, or `capability=<capability>`.
    requires: tuple[str, ...] | None = None


class Supervised(Value):
    """What holds of a plugin, once all who may have spoken."""

    restart_policy: RestartPolicy = RestartPolicy()
    health: Health = Health()
    requires: tuple[str, ...] = ()

    @classmethod
    def of(cls, *said: Supervision) -> Self:
        """Return what holds of what was said, the last word on a part counting."""
        words = {name: value for one in said for name, value in one if value is not None}
        return cls(**words)


def declared(extension: PluginExtension) -> Supervision:
    """Return what a plugin's author declares; raises InvalidArgument for what can't be meant."""
    return Supervision(
        restart_policy=RestartPolicy.parse(extension.restart) if extension.restart else None,
        health=None if extension.health is None else _health(extension.health),
        requires=None if extension.requires is None else requirements(extension.requires),
    )


def requirements(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return requirements with full names, each once, in order; raises InvalidArgument."""
    return tuple(dict.fromkeys(_requirement(name) for name in names))


def _requirement(text: str) -> str:
    if text.startswith(CAPABILITY) and len(text) > len(CAPABILITY):
        return text.lower()
    try:
        named = reference.parse(text)
    except errdefs.InvalidArgument as error:
        raise errdefs.InvalidArgument(
            f"requirement {text} is invalid: it is a plugin's name or {CAPABILITY}<capability>"
        ) from error
    if named.digest is not None:
        raise errdefs.InvalidArgument(f"requirement {text} is invalid: a name here has no digest")
    return named.with_default_tag().familiar


def _health(said: HealthExtension) -> Health:
    durations = {
        "interval_s": said.interval,
        "timeout_s": said.timeout,
        "start_period_s": said.start_period,
    }
    given: dict[str, object] = {name: _seconds(text) for name, text in durations.items() if text}
    if said.retries:
        given["retries"] = said.retries
    if said.on_unhealthy:
        given["on_unhealthy"] = said.on_unhealthy
    try:
        health = Health.model_validate({"test": said.test or ("NONE",), **given})
    except ValidationError as error:
        wrong = "; ".join(f"{one['loc'][0]}: {one['msg']}" for one in error.errors())
        raise errdefs.InvalidArgument(f"health check is invalid: {wrong}") from error
    health.check()
    return health


def _seconds(text: str) -> float:
    if not _DURATION.fullmatch(text):
        raise errdefs.InvalidArgument(f"duration {text} is invalid: it is such as 1m30s or 500ms")
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
