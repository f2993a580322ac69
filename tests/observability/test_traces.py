"""What a node sends to a collector while the docker CLI does all that people do to plugins."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from opentelemetry import semconv

from tests.observability.conftest import CLIENT_TRACE, PLUGIN, Watched, orphans, secrets
from tests.support.node import SERVICES, eventually
from tests.support.otlp import SeenSpan


def only(spans: Iterable[SeenSpan], name: str) -> SeenSpan:
    """Return the one span of a name."""
    (found,) = [span for span in spans if span.name == name]
    return found


def _given_up() -> set[str]:
    """Return the names that OpenTelemetry's conventions have had, and have no more."""
    folder = Path(semconv.__file__).parent / "_incubating" / "attributes"
    stated = "".join(path.read_text() for path in sorted(folder.glob("*_attributes.py")))
    found = re.findall(r'Final = "(\S+)"\n"""\nDeprecated: ', stated)
    assert "rpc.service" in found
    return set(found)


def parents(span: SeenSpan, trace: Iterable[SeenSpan]) -> list[str]:
    """Return the names of the spans above one, the nearest first."""
    by_id = {one.span_id: one for one in trace}
    names = []
    while (above := by_id.get(span.parent_id)) is not None:
        names.append(above.name)
        span = above
    return names


def sent(message: str, trace: Iterable[SeenSpan]) -> list[SeenSpan]:
    """Return the spans of messages of a type on their way."""
    return [
        span
        for span in trace
        if span.kind == "producer" and span.attributes.get("wherry.message.type") == message
    ]


def messages_of(trace: Iterable[SeenSpan]) -> set[str]:
    """Return the types of the messages that were sent in a trace."""
    return {
        str(span.attributes["wherry.message.type"]) for span in trace if span.kind == "producer"
    }


def test_every_service_took_part_under_its_name(watched: Watched) -> None:
    """Each has its name, its version and its node."""
    resources = {span.service: span.resource for span in watched.collector.spans}

    assert set(resources) == {f"wherry-{service}" for service in SERVICES}
    for service, resource in resources.items():
        assert resource["host.name"] == watched.node.name
        assert resource["service.version"]
        assert resource["service.instance.id"] == f"{watched.node.name}/{service[7:]}"


def test_no_span_is_an_orphan(watched: Watched) -> None:
    """Every parent that is named was sent."""
    assert orphans(watched.collector) == []


def test_each_action_is_one_trace(watched: Watched) -> None:
    """Each request that was logged has a trace of its own, and that has one root."""
    requests = Counter(line["trace_id"] for line in watched.lines if line["event"] == "request")
    assert set(requests.values()) == {1}

    def are_rooted() -> bool:
        roots = Counter(span.trace_id for span in watched.collector.spans if not span.parent_id)
        return all(roots[one] == (one != CLIENT_TRACE) for one in map(str, requests))

    eventually(are_rooted, "each trace of a request has arrived, with one root")


def test_an_enable_leads_down_to_runc(watched: Watched) -> None:
    """From the request over both commands and both transactions to conmon, runc and readiness."""
    root = watched.collector.roots("POST /plugins/{name}/enable")[0]
    trace = watched.collector.trace(root.trace_id)

    assert root.attributes["wherry.plugin"] == PLUGIN
    assert parents(only(trace, "runc run"), trace) == [
        "conmon",
        "process executor.container.start.v1",
        "send wherry:{node}:executor:commands",
        "process store.plugin.enable.v1",
        "send wherry:{node}:store:commands",
        "POST /plugins/{name}/enable",
    ]
    below = {span.name for span in trace if "process executor" in "".join(parents(span, trace)[:1])}
    assert {"prepare bundle", "conmon", "readiness"} <= below
    assert len([span for span in trace if span.name == "transaction store"]) >= 2
    assert {span.service for span in trace} == {
        *("wherry-gateway", "wherry-store", "wherry-executor")
    }


def test_a_disable_tells_how_long_the_plugin_took_to_end(watched: Watched) -> None:
    """Between the executor's order and its deletion."""
    root = watched.collector.roots("POST /plugins/{name}/disable")[0]
    trace = watched.collector.trace(root.trace_id)

    stop = only(trace, "stop container")
    assert stop.service == "wherry-executor"
    assert parents(stop, trace)[-1] == root.name


def test_an_install_tells_of_each_layer(watched: Watched) -> None:
    """The job lies below the request; resolve, blobs and unpacks say what they moved."""
    (root,) = watched.collector.roots("POST /plugins/pull")
    trace = watched.collector.trace(root.trace_id)

    job = only(trace, "job")
    assert parents(job, trace)[:2] == [
        "send node.{node}.pull",
        "process store.job.begin.v1",
    ]
    assert job.attributes["wherry.job.kind"] == "pull"
    steps = {span.name for span in trace if span.parent_id == job.span_id}
    assert {"resolve", "blob", "unpack", "commit"} <= steps
    for blob in (span for span in trace if span.name == "blob"):
        # The push before it left the layer in the content store, or it was fetched now.
        assert blob.attributes["wherry.retries"] == 0
        if not blob.attributes["wherry.cache.hit"]:
            assert blob.attributes["wherry.bytes"] == blob.attributes["oci.blob.size"]
            assert blob.attributes["wherry.bytes_per_s"] > 0
    unpack = only(trace, "unpack")
    assert unpack.attributes["wherry.files"] > 0
    assert unpack.attributes["wherry.bytes"] > 0
    asked = [span for span in trace if span.name == "GET registry"]
    assert {span.kind for span in asked} == {"client"}
    assert all("?" not in str(span.attributes["url.path"]) for span in asked)


def test_a_crash_is_a_trace_that_ends_in_the_restart(watched: Watched) -> None:
    """What the store does about an exit lies below the fact, which is linked to its sender."""
    spans = watched.collector.spans
    (begun,) = [
        span
        for span in sent("executor.container.start.v1", spans)
        if "process executor.container.exited.v1" in parents(span, spans)
    ]
    trace = watched.collector.trace(begun.trace_id)
    (root,) = [span for span in trace if not span.parent_id]

    assert root.name == "process executor.container.exited.v1"
    assert root.attributes["container.id"]
    assert any(span.name == "runc run" for span in trace)
    (link,) = root.links
    (cause,) = [span for span in spans if span.span_id == link[1]]
    assert (cause.service, cause.kind) == ("wherry-executor", "producer")
    assert cause.trace_id != root.trace_id
    # It is no part of the request that had started the container, only linked to it.
    assert cause.parent_id == ""
    ((_, start),) = cause.links
    assert start in {span.span_id for span in spans if span.service == "wherry-executor"}


def test_an_upgrade_is_one_trace_and_its_failure_another(watched: Watched) -> None:
    """The one that found no such version says so on its job, the other has all its steps."""
    roots = watched.collector.roots("POST /plugins/{name}/upgrade")
    jobs = [only(watched.collector.trace(root.trace_id), "job") for root in roots]

    assert {job.attributes["wherry.job.kind"] for job in jobs} == {"upgrade"}
    assert sorted(job.is_error for job in jobs) == [False, True]
    (failed,) = [job for job in jobs if job.is_error]
    assert failed.attributes["error.type"] == "not_found"


def test_a_batch_leads_down_to_the_containers(watched: Watched) -> None:
    """Below the request lies the batch, below that each plugin's job, and below that its phases."""
    root = watched.collector.roots("POST /wherry/v1/upgrades")[0]
    trace = watched.collector.trace(root.trace_id)
    batch, plugin = only(trace, "batch"), only(trace, "upgrade plugin")

    assert parents(batch, trace) == [
        "process controller.batch.create.v1",
        "send wherry:{node}:controller:commands",
        "POST /wherry/v1/upgrades",
    ]
    assert batch.attributes["wherry.batch.state"] == "completed"
    assert plugin.attributes["wherry.node"] == watched.node.name
    assert str(plugin.attributes["wherry.plugin"]).startswith(PLUGIN)
    below = {span.name for span in trace if {"upgrade plugin", "job"} <= set(parents(span, trace))}
    assert {"upgrade stop", "upgrade start", "upgrade monitor", "runc run"} <= below
    jobs = [one for one in trace if one.name == "job"]
    assert sorted(str(one.attributes["wherry.job.kind"]) for one in jobs) == ["prefetch", "upgrade"]
    waits = [one for one in trace if one.name == "wait node.{node}.pull"]
    for one in (*jobs, *waits):
        assert parents(one, trace)[-4] == "batch"
    assert {one.attributes["wherry.job.id"] for one in waits} == {
        one.attributes["wherry.job.id"] for one in jobs
    }
    assert "batch" in parents(only(trace, "plan batch"), trace)
    assert batch.end_ns >= max(one.end_ns for one in jobs)


def test_a_batch_shows_its_tree_on_the_node(watched: Watched) -> None:
    """`wherry trace show` draws it down to runc, and marks what it had to wait for."""
    root = watched.collector.roots("POST /wherry/v1/upgrades")[0]

    shown = watched.node.wherry("trace", "show", root.trace_id)

    lines = shown.splitlines()
    (plugin,) = [line for line in lines if "upgrade plugin" in line]
    assert f"node={watched.node.name}" in plugin
    (monitor,) = [line for line in lines if "─ upgrade monitor" in line]
    assert " * " in monitor


def test_a_volume_leads_to_calls_of_the_plugin(watched: Watched) -> None:
    """Each call of the driver is a span of the volume service, with method and plugin."""
    call = only(watched.collector.spans, "VolumeDriver.Create")
    trace = watched.collector.trace(call.trace_id)

    assert [span.name for span in trace if not span.parent_id] == ["POST /volumes/create"]
    assert (call.service, call.kind) == ("wherry-volume", "client")
    assert call.attributes["rpc.method"] == "VolumeDriver.Create"
    assert PLUGIN in str(call.attributes["wherry.plugin"])
    assert "process volume.volume.create.v1" in parents(call, trace)
    assert {message.partition(".")[0] for message in messages_of(trace)} >= {"store", "volume"}


def test_events_are_linked_to_what_happened(watched: Watched) -> None:
    """Taking an event in is a trace of its own, with a link into that of the action."""
    root = watched.collector.roots("POST /plugins/{name}/enable")[0]
    taken_in = [
        span
        for span in watched.collector.spans
        if (span.service, span.kind) == ("wherry-event", "consumer")
        # One by one, or those together that came together.
        and span.name in ("process store.plugin.changed.v1", "process wherry:{node}:store:changes")
    ]

    assert all(span.parent_id == "" for span in taken_in)
    led_here = [span for span in taken_in if root.trace_id in {link[0] for link in span.links}]
    assert led_here
    assert root.trace_id not in {span.trace_id for span in led_here}


def test_events_are_linked_to_where_they_were_published(watched: Watched) -> None:
    """The event service publishes below what took the change in; who reads it is linked to that."""
    spans = watched.collector.spans
    known = {span.span_id: span for span in spans}
    published = sent("event.feed.published.v1", spans)
    read = [
        span
        for span in spans
        if (span.service, span.name) == ("wherry-gateway", "process event.feed.published.v1")
    ]

    assert published
    assert read
    assert {known[span.parent_id].name for span in published} <= {
        "process store.plugin.changed.v1",
        "process wherry:{node}:store:changes",
        "process volume.volume.changed.v1",
        "process wherry:{node}:volume:changes",
        "process controller.row.changed.v1",
        "process wherry:{node}:controller:changes",
    }
    for span in read:
        ((_, cause),) = span.links
        assert span.parent_id == ""
        assert known[cause] in published


def test_a_clients_trace_goes_on(watched: Watched) -> None:
    """All that a request with a traceparent did lies in the trace that it names."""
    trace = watched.collector.trace(CLIENT_TRACE)

    assert {"POST /plugins/{name}/enable", "runc run"} <= {span.name for span in trace}


def test_log_lines_name_their_trace(watched: Watched) -> None:
    """One line of each unit of work: who, where, about what, how it ended, and the span."""
    told = [
        line for line in watched.lines if line["event"] in ("request", "command", "fact", "job")
    ]

    def spans() -> dict[tuple[str, str], SeenSpan]:
        return {(span.trace_id, span.span_id): span for span in watched.collector.spans}

    named = {(str(line["trace_id"]), str(line["span_id"])) for line in told}
    eventually(lambda: named <= spans().keys(), "the spans that are named have arrived")
    arrived = spans()
    assert {line["event"] for line in told} == {"request", "command", "fact", "job"}
    for line in told:
        assert {"service", "node", "level", "timestamp", "duration_ms"} <= set(line)
        span = arrived[str(line["trace_id"]), str(line["span_id"])]
        assert span.service == f"wherry-{line['service']}"
    about = {line.get("type") for line in told if line.get("plugin") == PLUGIN}
    assert "store.plugin.enable.v1" in about


def test_no_secret_is_anywhere(watched: Watched) -> None:
    """Neither in what was sent, nor in log lines, nor in what the node keeps."""
    kept = b"".join(path.read_bytes() for path in (watched.node.root / "traces").iterdir())
    assert PLUGIN.encode() in kept

    for place in (watched.collector.raw, watched.log.encode(), kept):
        for secret in secrets():
            assert secret not in place


def test_attributes_have_names_of_the_conventions_or_ours(watched: Watched) -> None:
    """An attribute is OpenTelemetry's, OCI's, or begins with wherry."""
    ours = ("wherry.", "oci.")
    theirs = (
        *("http.", "url.", "server.", "error.", "messaging.", "rpc.", "db.", "container."),
        *("code.",),
    )
    names = {name for span in watched.collector.spans for name in span.attributes}

    assert [name for name in sorted(names) if not name.startswith(ours + theirs)] == []
    assert names & _given_up() == set()


def test_wherry_trace_shows_what_was_done(watched: Watched) -> None:
    """The same traces are on the node: listed, shown by the beginning of an id, slowest first."""
    node = watched.node
    (root,) = watched.collector.roots("POST /plugins/pull")

    listed = node.wherry("trace", "ls", "--plugin", PLUGIN, "-n", "1000")
    assert root.trace_id[:12] in listed
    assert root.trace_id[:12] in node.wherry("trace", "slow", "-n", "1000")
    shown = node.wherry("trace", "show", root.trace_id[:12])
    assert "unpack" in shown
    assert "critical path" in shown
    assert "no trace's id" in node.wherry_fails("trace", "show", "nonsense")


def test_enable_shows_its_trace_at_once(watched: Watched) -> None:
    """The CLI's own enable and disable tell where the time went."""
    node = watched.node

    # The tree goes to standard error, so that what is printed stays the plugin's name.
    for verb, step in (("disable", "runc delete"), ("enable", "readiness")):
        with node.begin_wherry("plugin", verb, "--trace", PLUGIN) as command:
            printed, told = command.process.communicate(timeout=60)
        assert printed == f"{PLUGIN}\n"
        assert step in told
