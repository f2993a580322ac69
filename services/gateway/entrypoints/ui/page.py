"""A page, and a form's outcome, as handlers return them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a template is to show."""

    title: str
    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    #: Which entry of the menu it belongs to.
    section: str = ""
    #: What its live parts were made of: their stream goes on behind it; empty: none are live.
    position: str = ""
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a form did, and the page to see next."""

    said: str
    back: str
