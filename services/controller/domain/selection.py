"""Which plugins a batch is about, and what they are to become."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from shared import errdefs
from shared.contracts import plugin as plugins
from shared.contracts.batch import BatchRequest, PrivilegePolicy, Selector, Target
from shared.contracts.plugin import Plugin
from shared.contracts.reference import provides
from shared.oci import reference


def require_sound(request: BatchRequest) -> None:
    """Raise InvalidArgument for what can't be meant."""
    selector, target = request.selector, request.target
    if bool(target.reference) == bool(target.tag):
        raise errdefs.InvalidArgument(
            "the target is either a reference, for all plugins, or a tag of each plugin's own "
            "repository: give one of both"
        )
    _require_sound_target(target)
    if selector == Selector():
        raise errdefs.InvalidArgument(
            "nothing says which plugins: name some, or give a filter; enabled=true fits all that "
            "are enabled"
        )
    if request.privileges and request.policy is not PrivilegePolicy.GRANT_LISTED:
        raise errdefs.InvalidArgument(
            f"privileges are listed, and the policy {request.policy} looks at none of them: choose "
            "the policy grant-listed, or list none"
        )


def _require_sound_target(target: Target) -> None:
    try:
        if target.reference:
            reference.parse(target.reference)
        else:
            reference.parse("any/plugin").with_tag(target.tag)
    except errdefs.Error as error:
        raise errdefs.InvalidArgument(
            f"the target {target.reference or target.tag!r} can't be: {error.message}"
        ) from error


def fits_node(selector: Selector, name: str, labels: Mapping[str, str]) -> bool:
    """Tell whether a node's plugins may be among those selected."""
    if selector.nodes and name not in selector.nodes:
        return False
    return all(_has_label(wanted, labels) for wanted in selector.node_labels)


def _has_label(wanted: str, labels: Mapping[str, str]) -> bool:
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)


def selected(selector: Selector, found: Iterable[Plugin]) -> tuple[Plugin, ...]:
    """Return the plugins of one node that are selected, by name."""
    known = tuple(found)
    named = _named(selector.names, known)
    chosen = (one for one in known if named is None or one.plugin_id in named)
    return tuple(sorted((p for p in chosen if _fits(selector, p)), key=lambda p: p.name))


def unmet(
    selector: Selector, nodes: Container[str], found: Sequence[Sequence[Plugin]]
) -> Iterator[str]:
    """Yield what is said of nodes and plugins that are named and are not there.

    *found* is what each node has that was asked.
    """
    for name in selector.nodes:
        if name not in nodes:
            yield f"there is no node {name}: `wherry node ls` shows them"
    for name in selector.names:
        if not any(_named((name,), known) for known in found):
            yield f"no plugin is called {name} on the nodes that were asked"


def _named(names: Iterable[str], known: Iterable[Plugin]) -> frozenset[str] | None:
    wanted = tuple(names)
    if not wanted:
        return None
    by_name = {one.name: one.plugin_id for one in known}
    ids = frozenset(by_name.values())
    found = set()
    for name in wanted:
        try:
            found.add(plugins.resolve(name, by_name, ids))
        except errdefs.NotFound:
            continue  # another node may have it
    return frozenset(found)


def _fits(selector: Selector, plugin: Plugin) -> bool:
    if selector.enabled is not None and plugin.enabled is not selector.enabled:
        return False
    if selector.capability and not provides(plugin, _capability(selector.capability)):
        return False
    if not selector.reference:
        return True
    ref = reference.parse(plugin.reference)
    pattern = selector.reference
    return any(fnmatchcase(text, pattern) for text in (str(ref), ref.familiar, ref.familiar_name))


def _capability(text: str) -> str:
    """Return the bare name: `docker.volumedriver/1.0` is `volumedriver`."""
    return text.removeprefix("docker.").partition("/")[0]


def target_of(target: Target, plugin: Plugin) -> str:
    """Return the reference, in its full form, that a plugin is to be upgraded to."""
    if target.reference:
        return str(reference.parse_remote(target.reference))
    return str(reference.parse(plugin.reference).without_digest().with_tag(target.tag))
