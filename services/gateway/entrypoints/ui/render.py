"""HTML of templates: all that is put in is escaped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import jinja2
from markupsafe import Markup

from services.gateway.entrypoints.ui import static_files

_NS: Final = 10**9
_UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB")


@cache
def environment() -> jinja2.Environment:
    """Return the templates."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__, "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.globals["static"] = static_files.address
    made.filters.update(moment=moment, size=size, pretty=pretty, span=span, short=short)
    return made


def render(template: str, values: Mapping[str, Any]) -> str:
    """Return a template with its values put in."""
    return environment().get_template(template).render(values)


def moment(time_ns: int | None) -> Markup | str:
    """Write a time that scripts turn into how long ago it was."""
    if time_ns is None:
        return "never"
    when = datetime.fromtimestamp(time_ns / _NS, UTC)
    text = f"{when:%Y-%m-%d %H:%M:%S} UTC"
    return Markup('<time datetime="{}Z">{}</time>').format(
        when.replace(tzinfo=None).isoformat(timespec="milliseconds"), text
    )


def size(count: int | None) -> str:
    """Write bytes as people read them."""
    if count is None:
        return "unlimited"
    value, unit = float(count), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return (
        f"{value:.0f} {_UNITS[unit]}"
        if unit == 0 or value >= 100
        else f"{value:.3g} {_UNITS[unit]}"
    )


def span(duration_ns: float) -> str:
    """Write how long something took."""
    if duration_ns < 1_000_000:
        return f"{duration_ns / 1000:.0f} µs"
    if duration_ns < _NS:
        return f"{duration_ns / 1_000_000:.3g} ms"
    if duration_ns < 120 * _NS:
        return f"{duration_ns / _NS:.3g} s"
    return f"{duration_ns / (60 * _NS):.1f} min"


def pretty(value: Any) -> str:
    """Write JSON for reading."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def short(digest: str) -> str:
    """Return the beginning of an id or digest, as Docker shows it."""
    return digest.removeprefix("sha256:")[:12]
