"""All that is known of one plugin, for a person."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.cli.domain import moment
from services.cli.domain.reference import References
from services.cli.domain.table import aligned, duration

_NS: Final = 10**9
_NOTHING: Final = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginStatus:
    """A plugin's record as the gateway shows it, who holds it, and what it wrote last."""

    record: Mapping[str, Any]
    references: References
    last_lines: Sequence[str]

    def to_json(self) -> str:
        """Return it for programs."""
        holders = json.loads(self.references.to_json())
        return json.dumps(
            {**self.record, "references": holders, "last_lines": list(self.last_lines)}, indent=2
        )

    def to_text(self, now_ns: int) -> str:
        """Return it for a person."""
        rows = [*self._observed(now_ns), *self._installed()]
        parts = ["\n".join(aligned(rows))]
        if self.references.references:
            parts.append(self.references.to_text(now_ns))
        if self.last_lines:
            parts.append("\n".join(["last output:", *(f"  {line}" for line in self.last_lines)]))
        return "\n\n".join(parts)

    def _observed(self, now_ns: int) -> Iterator[tuple[str, str]]:
        status = self.record["status"]
        yield "name", self.record["name"]
        yield "id", self.record["plugin_id"]
        yield "enabled", "yes" if self.record["enabled"] else "no"
        yield "state", _state(status, now_ns)
        if status["message"]:
            yield "because", status["message"]
        if status["pid"] is not None:
            yield "process", f"{status['pid']}, container {status['container_id']}"
            yield "sockets", status["socket_dir"]
        yield "health", _health(status)
        yield "starts", f"{status['starts']}, {status['restarts']} of the last did not last"
        yield "last exit", _exit(status["last_exit"], now_ns)

    def _installed(self) -> Iterator[tuple[str, str]]:
        yield "reference", self.record["reference"]
        yield "manifest", self.record["manifest_digest"]
        yield "config", self.record["config_digest"]
        yield "layers", " ".join(self.record["layer_digests"]) or _NOTHING
        yield "created", moment.to_text(self.record["created_at_ns"])
        yield "signed by", ", ".join(map(_signer, self.record["signers"])) or "nobody"
        yield "granted", _granted(self.record["grant"] or ())
        limits = self.record["resources"].items()
        yield "limits", ", ".join(f"{k} {v}" for k, v in limits if v is not None) or _NOTHING
        yield "references", str(len(self.references.references) or _NOTHING)


def _state(status: Mapping[str, Any], now_ns: int) -> str:
    state = str(status["state"])
    if status["restart_at_ns"] is not None:
        left = (status["restart_at_ns"] - now_ns) / _NS
        return f"{state}, next start in {left:.1f} s" if left > 0 else f"{state}, start is due"
    if state == "running" and status["started_at_ns"] is not None:
        return f"{state} for {duration((now_ns - status['started_at_ns']) // _NS)}"
    return state


def _health(status: Mapping[str, Any]) -> str:
    told = {"none": "not checked"}.get(status["health"], str(status["health"]))
    if status.get("health_message"):
        told = f"{told}: {status['health_message']}"
    return f"{told}; degraded: its supervisor died" if status["degraded"] else told


def _exit(ended: Mapping[str, Any] | None, now_ns: int) -> str:
    if ended is None:
        return _NOTHING
    ago = f"{duration((now_ns - ended['exited_at_ns']) // _NS)} ago"
    if ended["oom_killed"]:
        return f"killed by the kernel, out of memory, {ago}"
    code = ended["exit_code"]
    return f"code {'unknown' if code is None else code}, {ago}"


def _signer(signer: Mapping[str, Any]) -> str:
    """Return who signed: the key's name, and its fingerprint as a pull tells it."""
    key = signer["key"].removeprefix("sha256:")
    return f"{signer['name']}, key {key[:12]}" if signer["name"] else f"key {key}"


def _granted(grant: Sequence[Mapping[str, Any]]) -> str:
    shown = (
        f"{one['name']}{' ' + ','.join(one['value']) if one['value'] else ''} ({one['how']})"
        for one in grant
    )
    return "; ".join(shown) or "nothing"
