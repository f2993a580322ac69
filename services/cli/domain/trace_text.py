"""Traces as a person reads them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from services.cli.domain.table import aligned, cell, duration
from services.cli.domain.trace import Segment, ShownTrace, Span, Trace

_HEADINGS: Final = ("TRACE", "AGO", "TOOK", "STATUS", "REQUEST", "PLUGIN")
_ID_LETTERS: Final = 12
_NS: Final = 10**9
_MS: Final = 10**6
#: What is worth a place beside a span, and what it is called there.
_TOLD: Final = {
    "wherry.plugin": "plugin",
    "wherry.node": "node",
    "wherry.batch": "upgrade",
    "wherry.job.id": "job",
    "wherry.job.attempt": "attempt",
    "container.id": "container",
    "oci.reference": "reference",
    "oci.blob.digest": "blob",
    "wherry.bytes": "bytes",
    "wherry.bytes_per_s": "bytes/s",
    "wherry.files": "files",
    "wherry.retries": "retries",
    "wherry.cache.hit": "cached",
    "url.path": "path",
    "server.address": "registry",
    "http.response.status_code": "status",
}
_DIGEST_LETTERS: Final = 19


def listed(roots: Sequence[Span], now_ns: int) -> str:
    """Return a line per trace, by its first span."""
    if not roots:
        return "no traces are kept; those of requests that only read never are"
    return "\n".join(aligned([_HEADINGS, *(_row(root, now_ns) for root in roots)]))


def shown(found: ShownTrace) -> str:
    """Return the tree of a trace, its critical path marked, and what led on from it."""
    path = found.trace.critical_path()
    lines = [f"trace {found.trace_id}", "", *_tree(found.trace, path), "", *_summary(found.trace)]
    if found.linked:
        lines += ["", "led to:"]
        width = max(len(one.service) for one in found.linked)
        lines += [
            f"  {one.trace_id[:_ID_LETTERS]}  {one.service:{width}}  {one.title}"
            for one in sorted(found.linked, key=lambda one: one.start_ns)
        ]
    return "\n".join(lines)


def _row(root: Span, now_ns: int) -> tuple[str, ...]:
    ago = duration((now_ns - root.end_ns) // _NS)
    status = root.attributes.get("http.response.status_code")
    return (
        root.trace_id[:_ID_LETTERS],
        ago,
        f"{root.took_ns / _MS:.1f} ms",
        cell(status) if status is not None or not root.is_error else "failed",
        root.title,
        cell(root.attributes.get("wherry.plugin")),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """A span, and what is drawn before its name."""

    span: Span
    lead: str


def _tree(trace: Trace, path: Sequence[Segment]) -> Iterator[str]:
    critical: dict[str, int] = defaultdict(int)
    for part in path:
        critical[part.span.span_id] += part.took_ns
    drawn = [one for root in trace.roots for one in _draw(trace, root, "", "")]
    if not drawn:
        return
    origin_ns = min(one.span.start_ns for one in drawn)
    services = max(len(one.span.service) for one in drawn)
    width = max(len(one.lead + one.span.title) for one in drawn)
    yield f"{'start':>9} {'took':>9} {'critical':>9} ms"
    for one in drawn:
        span = one.span
        own = critical.get(span.span_id)
        yield (
            f"{_ms(span.start_ns - origin_ns)} {_ms(span.took_ns)}"
            f" {_ms(own) if own else ' ' * 9} {'*' if own else ' '}"
            f"  {span.service:<{services}}  {one.lead + span.title:<{width}}  {_told(span)}"
        ).rstrip()


def _draw(trace: Trace, span: Span, lead: str, indent: str) -> Iterator[_Drawn]:
    yield _Drawn(span=span, lead=lead)
    children = trace.children(span)
    for child in children:
        is_last = child is children[-1]
        branch, deeper = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
        yield from _draw(trace, child, indent + branch, indent + deeper)


def _told(span: Span) -> str:
    said = [
        f"{word}={_short(span.attributes[name])}"
        for name, word in _TOLD.items()
        if name in span.attributes
    ]
    if span.is_error:
        said.append(f"failed: {span.error or span.attributes.get('error.type', '')}".rstrip(": "))
    return " ".join(said)


def _short(value: object) -> str:
    text = str(value)
    return text[:_DIGEST_LETTERS] if text.startswith("sha256:") else text


def _summary(trace: Trace) -> Iterator[str]:
    path = trace.critical_path()
    whole_ns = sum(part.took_ns for part in path)
    if not whole_ns:
        return
    by_name: dict[str, int] = defaultdict(int)
    for part in path:
        by_name[f"{part.span.service}: {part.span.title}"] += part.took_ns
    longest = sorted(by_name.items(), key=lambda item: item[1], reverse=True)[:3]
    said = ", ".join(f"{name} {_percent(took_ns, whole_ns)}" for name, took_ns in longest)
    yield f"* critical path, {whole_ns / _MS:.1f} ms: {said}"
    bus_ns = sum(part.took_ns for part in path if part.span.is_on_bus)
    unexplained_ns = sum(part.took_ns for part in trace.unexplained())
    yield (
        f"  on the message bus {_percent(bus_ns, whole_ns)}; between spans, so not explained, "
        f"{_percent(unexplained_ns, whole_ns)}"
    )


def _percent(part_ns: int, whole_ns: int) -> str:
    return f"{100 * part_ns / whole_ns:.0f} %"


def _ms(time_ns: int) -> str:
    return f"{time_ns / _MS:9.1f}"
