"""What a plugin's author tells this manager: the key `Wherry` in config.json.

Docker and registries ignore keys that they do not know and keep the config's bytes, so it
travels with the plugin. What operators set lies over it.
"""

from typing import ClassVar, Self

from pydantic import Field

from shared.oci import go_json
from shared.oci.go_struct import GoStruct
from shared.oci.plugin_config import Strings

#: Its name in config.json; read in any case, as Docker's own keys are.
KEY = "Wherry"


class HealthExtension(GoStruct):
    """How the running plugin is asked whether it still works, as Docker's HEALTHCHECK has it.

    Durations are Go's, such as `1m30s`; what is left out is the node's default.
    """

    OMIT_EMPTY: ClassVar[frozenset[str]] = frozenset(
        {"interval", "timeout", "start_period", "retries", "on_unhealthy"}
    )

    #: `CONNECT`; `CALL` and a method; `CMD` and a program with its arguments; or `NONE`.
    test: Strings = Field(default=None, alias="Test")
    interval: str = Field(default="", alias="Interval")
    timeout: str = Field(default="", alias="Timeout")
    start_period: str = Field(default="", alias="StartPeriod")
    retries: int = Field(default=0, alias="Retries")
    #: `restart`, or nothing.
    on_unhealthy: str = Field(default="", alias="OnUnhealthy")


class PluginExtension(GoStruct):
    """What the author declares; zero values say nothing."""

    OMIT_EMPTY: ClassVar[frozenset[str]] = frozenset({"restart", "health", "requires", "handover"})

    #: `always`, `on-failure`, `on-failure:<retries>` or `no`.
    restart: str = Field(default="", alias="Restart")
    health: HealthExtension | None = Field(default=None, alias="Health")
    #: Plugins that must be ready first: names, or `capability=<capability>`.
    requires: Strings = Field(default=None, alias="Requires")
    #: Whether two versions may run side by side while one takes over from the other.
    handover: bool = Field(default=False, alias="Handover")

    @classmethod
    def from_config(cls, data: bytes) -> Self:
        """Read it from config.json's bytes; without the key it says nothing.

        Unknown keys are ignored, so that newer plugins install on older nodes. Raises GoJSONError,
        to which the caller adds what failed.
        """
        config = go_json.decode(data)
        if not isinstance(config, dict):
            return cls()
        found = [value for key, value in config.items() if key.casefold() == KEY.casefold()]
        return cls.decode_at(found[-1], (KEY,)) if found else cls()

    def add_to(self, config: bytes) -> bytes:
        """Return config.json's bytes with what is declared, or as they were when nothing is."""
        declared = self.to_dict()
        if not declared:
            return config
        return go_json.encode({**go_json.decode(config), KEY: declared}) + b"\n"
