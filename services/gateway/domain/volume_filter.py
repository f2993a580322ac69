"""Which volumes a list shows, and which ones a prune takes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from services.gateway.domain import filters
from services.gateway.domain.volume_options import ANONYMOUS
from shared import errdefs
from shared.contracts.volume import PruneVolumes, Volume
from shared.oci import go_json

_LIST_KEYS = ("dangling", "name", "driver", "label")
_PRUNE_KEYS = ("label", "label!", "all")
#: What Go's strconv.ParseBool takes.
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeFilter:
    """The filters of GET /volumes; None, or nothing, lets everything through."""

    drivers: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    dangling: bool | None = None

    @classmethod
    def parse(cls, raw: str) -> Self:
        """Read the `filters` parameter; raises InvalidArgument in dockerd's words."""
        try:
            terms = filters.parse(raw)
        except errdefs.InvalidArgument as error:
            raise errdefs.InvalidArgument(f"error reading volume filters: {error}") from error
        filters.check_keys(terms, _LIST_KEYS)
        return cls(
            drivers=terms.get("driver", ()),
            names=terms.get("name", ()),
            labels=terms.get("label", ()),
            dangling=filters.to_bool(terms, "dangling"),
        )

    def matches(self, volume: Volume) -> bool:
        """Tell whether a volume is shown; its driver was seen to already."""
        if self.dangling is not None and self.dangling == bool(volume.holders):
            return False
        if self.names and not any(_fits(wanted, volume.name) for wanted in self.names):
            return False
        return all(_has(volume.labels or {}, wanted) for wanted in self.labels)


def to_prune(raw: str, *, takes_named: bool) -> PruneVolumes:
    """Read the filters of a prune; *takes_named*: volumes with a name, too, as before API 1.42.

    Raises InvalidArgument in dockerd's words.
    """
    terms = filters.parse(raw)
    everything = terms.get("all", ())
    if takes_named and "true" not in everything:
        everything = (*everything, "true")
    filters.check_keys(terms, _PRUNE_KEYS)
    labels = terms.get("label", ())
    return PruneVolumes(
        labels=labels if _is_all(everything) else _with_anonymous(labels),
        without_labels=terms.get("label!", ()),
    )


def _is_all(values: tuple[str, ...]) -> bool:
    if len(values) > 1:
        listed = " ".join(values)
        raise errdefs.InvalidArgument(
            f"invalid filter 'all=[{listed}]': only one value is expected"
        )
    if values and values[0] not in _TRUE | _FALSE:
        raise errdefs.InvalidArgument(
            f"invalid filter 'all': strconv.ParseBool: parsing {go_json.quote(values[0])}: "
            "invalid syntax"
        )
    return bool(values) and values[0] in _TRUE


def _with_anonymous(labels: tuple[str, ...]) -> tuple[str, ...]:
    return labels if ANONYMOUS in labels else (*labels, ANONYMOUS)


def _fits(wanted: str, name: str) -> bool:
    if wanted == name:
        return True
    try:
        return re.search(wanted, name) is not None
    except re.error:
        return False  # dockerd ignores a pattern that is none


def _has(labels: dict[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)
