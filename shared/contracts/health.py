"""How every service answers for itself."""

from typing import ClassVar

from shared.contracts.message import Command, Message, Value


class Check(Value):
    """One thing that a service needs, and whether it has it."""

    name: str
    ok: bool
    message: str = ""


class ServiceHealth(Message):
    """A service's own report."""

    TYPE: ClassVar[str] = "bus.health.report.v1"

    service: str
    node: str
    version: str
    pid: int
    started_at_ns: int
    healthy: bool
    #: Commands that wait in the service's stream and were not read yet.
    lag: int = 0
    #: Commands that were read and are not settled yet.
    pending: int = 0
    checks: tuple[Check, ...] = ()


class CheckHealth(Command[ServiceHealth]):
    """Ask a service how it is; sent to an owner by name, so the type names none."""

    TYPE: ClassVar[str] = "bus.health.check.v1"
    IS_ROUTINE: ClassVar[bool] = True
