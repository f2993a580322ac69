"""ports.Api: plugins and jobs at the gateway's /wherry/v1."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import quote, urlencode

from services.cli.adapters.unix_http import HijackedConnection, UnixConnection
from services.cli.domain.archive import Archive
from services.cli.domain.audit import Audit, AuditVerified
from services.cli.domain.exec import ExecWish, Size
from services.cli.domain.garbage import Garbage
from services.cli.domain.job import Job, Step
from services.cli.domain.log import LogEntry, LogWish
from services.cli.domain.login import Login
from services.cli.domain.plugin import Plugin, Privilege
from services.cli.domain.plugin_diff import PluginDiff
from services.cli.domain.process import Processes
from services.cli.domain.reference import References
from services.cli.domain.secret import Secrets
from services.cli.domain.stats import Stats
from services.cli.domain.supervision import Supervision
from services.cli.domain.trace import Answered, ShownTrace, Span
from services.cli.domain.upgrade import Change, Upgrade
from shared import errdefs

_FAILURES: Final = (OSError, http.client.HTTPException, ValueError)
#: A registry is asked meanwhile.
_LONG_LIMIT_S: Final = 150.0
_ANSWER_LIMIT_S: Final = 70.0
_CHUNK: Final = 1 << 20
_JSON_LINES: Final = "application/x-ndjson"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixApi:
    """The gateway at its unix socket."""

    socket: Path

    def plugins(self) -> tuple[Plugin, ...]:
        """Return all plugins, sorted by name."""
        return tuple(map(Plugin.from_json, self._ask("GET", "/plugins")["plugins"]))

    def plugin(self, name: str) -> Plugin:
        """Return a plugin by name, id or the beginning of its id."""
        return Plugin.from_json(self._ask("GET", f"/plugins/{quote(name)}"))

    def logs(self, name: str, wish: LogWish) -> Iterator[LogEntry]:
        """Yield entries of a plugin's output as they come."""
        path = f"/plugins/{quote(name)}/logs?{urlencode(wish.query())}"
        with self._answer("GET", path, limit_s=None, accept=_JSON_LINES) as response:
            for line in self._lines(response):
                yield LogEntry.from_json(line)

    def processes(self, name: str, ps_args: str) -> Processes:
        """List a plugin's processes."""
        query = urlencode({"ps_args": ps_args})
        return Processes.from_json(self._ask("GET", f"/plugins/{quote(name)}/top?{query}"))

    def stats(self, *, stream: bool) -> Iterator[tuple[Stats, ...]]:
        """Yield what all enabled plugins use, each second or once."""
        path = f"/stats?{urlencode({'stream': str(stream).lower()})}"
        with self._answer("GET", path, limit_s=None) as response:
            for line in response:
                yield tuple(map(Stats.from_json, json.loads(line)))

    def diff(self, old: str, new: str, login: Login) -> PluginDiff:
        """Compare two versions of a plugin."""
        path = f"/plugins/diff?{urlencode({'old': old, 'new': new})}"
        return PluginDiff.from_json(self._ask("GET", path, login=login, limit_s=_LONG_LIMIT_S))

    def switch(self, name: str, verb: str, query: Mapping[str, str]) -> Answered:
        """Enable or disable a plugin, by Docker's route; what is answered is returned, too."""
        path = f"/plugins/{quote(name)}/{verb}?{urlencode(query)}"
        connection = UnixConnection(self.socket, None)
        try:
            with contextlib.closing(connection):
                connection.request("POST", path)
                with connection.getresponse() as response:
                    refused = json.loads(response.read()) if response.status >= 300 else None
                    return Answered(
                        trace_id=response.headers.get("wherry-trace-id", ""),
                        error=errdefs.from_wire(refused) if refused else None,
                    )
        except _FAILURES as error:
            raise self._silent(error) from error

    def traces(self, *, limit: int, plugin: str, everything: bool, slow: bool) -> tuple[Span, ...]:
        """Return the first spans of recent traces."""
        wish = {"limit": limit, "plugin": plugin, "all": everything, "slow": slow}
        return tuple(map(Span.from_json, self._ask("GET", f"/traces?{urlencode(wish)}")["traces"]))

    def trace(self, trace_id: str) -> ShownTrace:
        """Return a trace by its id, or the beginning of it."""
        return ShownTrace.from_json(self._ask("GET", f"/traces/{quote(trace_id, safe='')}"))

    def record(self, name: str) -> Mapping[str, Any]:
        """Return all that the gateway knows of a plugin."""
        return self._ask("GET", f"/plugins/{quote(name)}")

    def save(self, names: Sequence[str]) -> Iterator[bytes]:
        """Yield an archive of plugins; raises Unavailable where it is cut."""
        query = urlencode([("name", name) for name in names])
        with self._answer("GET", f"/archives?{query}", limit_s=None) as response:
            while chunk := response.read(_CHUNK):
                yield chunk

    def bring(self, source: IO[bytes]) -> Archive:
        """Bring an archive, and return what is in it."""
        chunks = iter(lambda: source.read(_CHUNK), b"")
        with self._answer("POST", "/archives", raw=chunks, limit_s=None) as response:
            return Archive.from_json(json.loads(response.read()))

    def drop(self, archive_id: str) -> None:
        """Have an archive deleted; what is loaded from it goes on."""
        with self._answer("DELETE", f"/archives/{archive_id}", limit_s=_ANSWER_LIMIT_S):
            pass

    def load(self, body: Mapping[str, Any]) -> Job:
        """Begin to install a plugin from an archive."""
        return Job.from_json(self._ask("POST", "/plugins/load", body=body))

    def create_exec(self, name: str, wish: ExecWish) -> str:
        """Make a process beside a plugin's own, yet to be started; return its id."""
        made = self._ask("POST", f"/plugins/{quote(name)}/exec", body=wish.to_json())
        return str(made["exec_id"])

    def attach_exec(self, exec_id: str, size: Size | None) -> HijackedConnection:
        """Start an exec; what is sent and received from here on is its input and output."""
        body = {"height": size.height, "width": size.width} if size else {}
        try:
            return HijackedConnection(
                self.socket, f"/wherry/v1/exec/{quote(exec_id, safe='')}/start", body
            )
        except _FAILURES as error:
            raise self._silent(error) from error

    def detach_exec(self, exec_id: str) -> None:
        """Start an exec that goes on by itself."""
        path = f"/exec/{quote(exec_id, safe='')}/start"
        with self._answer("POST", path, body={"detach": True}, limit_s=_ANSWER_LIMIT_S):
            pass

    def exit_code(self, exec_id: str) -> int | None:
        """Return the exit code of an exec; None while it runs."""
        code = self._ask("GET", f"/exec/{quote(exec_id, safe='')}")["exit_code"]
        return None if code is None else int(code)

    def resize_exec(self, exec_id: str, size: Size) -> None:
        """Say how large the terminal of an exec is."""
        query = urlencode({"h": size.height, "w": size.width})
        path = f"/exec/{quote(exec_id, safe='')}/resize?{query}"
        with self._answer("POST", path, limit_s=_ANSWER_LIMIT_S):
            pass

    def signal_exec(self, exec_id: str, signal: str) -> None:
        """Send a signal to an exec."""
        path = f"/exec/{quote(exec_id, safe='')}/signal?{urlencode({'signal': signal})}"
        with self._answer("POST", path, limit_s=_ANSWER_LIMIT_S):
            pass

    def references(self, name: str) -> References:
        """Return who holds a plugin."""
        return References.from_json(self._ask("GET", f"/plugins/{quote(name)}/references"))

    def supervision(self, name: str) -> Supervision:
        """Return how a plugin is supervised."""
        return Supervision.from_json(self._ask("GET", f"/plugins/{quote(name)}/supervision"))

    def supervise(self, name: str, part: str, body: Mapping[str, Any] | None) -> Supervision:
        """Set a part of how a plugin is supervised; None lets the author's count again."""
        method = "DELETE" if body is None else "PUT"
        answer = self._ask(method, f"/plugins/{quote(name)}/{part}", body=body)
        return Supervision.from_json(answer)

    def privileges(self, remote: str, login: Login) -> tuple[Privilege, ...]:
        """Return what a plugin at a registry needs."""
        path = f"/plugins/privileges?{urlencode({'remote': remote})}"
        answer = self._ask("GET", path, login=login, limit_s=_LONG_LIMIT_S)
        return tuple(map(Privilege.from_json, answer["privileges"]))

    def begin(self, verb: str, body: Mapping[str, Any], login: Login) -> Job:
        """Begin a job that goes on without us."""
        return Job.from_json(self._ask("POST", f"/plugins/{verb}?detach=1", body=body, login=login))

    def jobs(self) -> tuple[Job, ...]:
        """Return all jobs that are kept, newest first."""
        return tuple(map(Job.from_json, self._ask("GET", "/jobs")["jobs"]))

    def job(self, job_id: str) -> Job:
        """Return a job."""
        return Job.from_json(self._ask("GET", f"/jobs/{quote(job_id, safe='')}"))

    def cancel(self, job_id: str) -> Job:
        """Wish a job ended."""
        return Job.from_json(self._ask("DELETE", f"/jobs/{quote(job_id, safe='')}"))

    def keep_secret(self, name: str, value: bytes, *, replace: bool) -> None:
        """Have a secret kept."""
        body = {"name": name, "data": base64.b64encode(value).decode(), "replace": replace}
        with self._answer("POST", "/secrets", body=body, limit_s=_ANSWER_LIMIT_S):
            pass

    def secrets(self) -> Secrets:
        """Return which secrets there are."""
        return Secrets.from_json(self._ask("GET", "/secrets"))

    def drop_secret(self, name: str) -> None:
        """Delete a secret that nobody uses."""
        with self._answer("DELETE", f"/secrets/{quote(name, safe='')}", limit_s=_ANSWER_LIMIT_S):
            pass

    def rotate_keys(self) -> None:
        """Have the node take new keys, and seal all secrets to them."""
        with self._answer("POST", "/keys/rotate", limit_s=_LONG_LIMIT_S):
            pass

    def audit(self, last: int) -> Audit:
        """Return the last records of the audit."""
        return Audit.from_json(self._ask("GET", f"/audit?{urlencode({'limit': last})}"))

    def verify_audit(self, noted: tuple[int, str] | None) -> AuditVerified:
        """Have the audit's chain computed anew, and compared with the hash noted of a record."""
        query = urlencode({"noted_seq": noted[0], "noted_hash": noted[1]} if noted else {})
        answer = self._ask("GET", f"/audit/verify?{query}", limit_s=_LONG_LIMIT_S)
        return AuditVerified.from_json(answer)

    def collect_garbage(self, *, dry_run: bool) -> Garbage:
        """Delete the blobs that nothing needs, or only tell which."""
        path = f"/content/collect?{urlencode({'dry_run': str(dry_run).lower()})}"
        return Garbage.from_json(self._ask("POST", path, limit_s=_LONG_LIMIT_S))

    def follow(self, job_id: str, after: str) -> Iterator[Step | Job]:
        """Yield what a job tells from a position on, and at last the job."""
        path = f"/jobs/{quote(job_id, safe='')}/progress?{urlencode({'after': after})}"
        with self._answer("GET", path, limit_s=None) as response:
            for line in self._lines(response):
                yield Job.from_json(line["job"]) if "job" in line else Step.from_json(line)
        raise errdefs.Unavailable("the gateway ended the stream of the job's progress")

    def create_upgrade(self, body: Mapping[str, Any], login: Login) -> Upgrade:
        """Plan an upgrade, and begin it unless it is a dry run."""
        return Upgrade.from_json(self._ask("POST", "/upgrades", body=body, login=login))

    def upgrades(self) -> tuple[Upgrade, ...]:
        """Return all upgrades that are kept, newest first."""
        return tuple(map(Upgrade.from_json, self._ask("GET", "/upgrades")["upgrades"]))

    def upgrade(self, upgrade_id: str) -> Change:
        """Return an upgrade with all of its plugins."""
        return Change.from_json(self._ask("GET", f"/upgrades/{quote(upgrade_id, safe='')}"))

    def steer_upgrade(self, upgrade_id: str, verb: str) -> Upgrade:
        """Have an upgrade paused, resumed, cancelled or rolled back."""
        path = f"/upgrades/{quote(upgrade_id, safe='')}/{verb}"
        return Upgrade.from_json(self._ask("POST", path))

    def follow_upgrade(self, upgrade_id: str, after: str) -> Iterator[Change]:
        """Yield what changes of an upgrade from a position on, until it is over."""
        query = urlencode({"after": after})
        path = f"/upgrades/{quote(upgrade_id, safe='')}/progress?{query}"
        with self._answer("GET", path, limit_s=None) as response:
            yield from map(Change.from_json, self._lines(response))

    def _lines(self, response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
        for text in response:
            line = json.loads(text)
            if "problem" in line:
                raise errdefs.from_wire(line["problem"])
            yield line

    def _ask(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        login: Login | None = None,
        limit_s: float = _ANSWER_LIMIT_S,
    ) -> dict[str, Any]:
        with self._answer(method, path, body=body, login=login, limit_s=limit_s) as response:
            return dict(json.loads(response.read()))

    @contextlib.contextmanager
    def _answer(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        login: Login | None = None,
        limit_s: float | None,
        accept: str = "",
        raw: Iterator[bytes] | None = None,
    ) -> Iterator[http.client.HTTPResponse]:
        headers = {"X-Registry-Auth": login.header} if login and login.fields else {}
        if accept:
            headers["Accept"] = accept
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = UnixConnection(self.socket, limit_s)
        try:
            with contextlib.closing(connection):
                sent = raw if body is None else json.dumps(body)
                connection.request(method, f"/wherry/v1{path}", body=sent, headers=headers)
                with connection.getresponse() as response:
                    if response.status >= 300:
                        raise errdefs.from_wire(json.loads(response.read()))
                    yield response
        except _FAILURES as error:
            raise self._silent(error) from error

    def _silent(self, error: Exception) -> errdefs.Error:
        return errdefs.Unavailable(
            f"the gateway does not answer on {self.socket}: {error}; `wherry status` says more"
        )
