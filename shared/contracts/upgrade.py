"""How the upgrade of a plugin is done, and how far it is."""

from enum import StrEnum

from shared.contracts.message import Value


class UpgradeStrategy(StrEnum):
    """What an upgrade does to a plugin that is enabled; a disabled one is replaced in any case."""

    #: Nothing: it must be disabled before, as Docker has it.
    DISABLED = "disabled"
    #: It is stopped, replaced and started again.
    STOP_FIRST = "stop-first"
    #: The new version is started beside it, called once it is ready, and the old one drained.
    START_FIRST = "start-first"


class UpgradePhase(StrEnum):
    """How far an upgrade is; each strategy has its own order."""

    #: A worker fetches the new version and checks it.
    PREFETCH = "prefetch"
    #: The old version is stopped.
    STOP = "stop"
    #: The new version is started and waited for.
    START = "start"
    #: The record becomes the new version's: whoever looks the plugin up calls that.
    SWAP = "swap"
    #: The new version has to last.
    MONITOR = "monitor"
    #: The old version serves those who found it before the swap.
    DRAIN = "drain"
    #: What is left of the old version goes.
    COMMIT = "commit"
    #: The old version is put back, what is left of the new one goes.
    ROLLBACK = "rollback"


class Upgrading(Value):
    """The upgrade under way on an enabled plugin."""

    job_id: str
    strategy: UpgradeStrategy
    phase: UpgradePhase
    #: The container beside the one that is called: the new version's before the swap, then the
    #: old one's.
    beside: str | None = None
