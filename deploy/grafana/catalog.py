"""The dashboards, by what a person wants to know."""

from __future__ import annotations

from typing import Final

from deploy.grafana.dashboard import NODE, Dashboard, Variable
from deploy.grafana.panel import THIRD, Query, figures, graph, logs, states, traces

_ON: Final = 'instance=~"$node"'
_RATE: Final = "$__rate_interval"
_GOING_ON: Final = "planning|prefetching|updating|paused|rollback.*"
_UNANSWERED: Final = f"sum by (service) (increase(wherry_bus_unanswered_total{{{_ON}}}[10m]))"


def _rate(metric: str, by: str, *, where: str = "", legend: str = "") -> Query:
    """Return how often a second, by labels."""
    chosen = f"{_ON}, {where}" if where else _ON
    said = legend or " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(","))
    return f"sum by ({by}) (rate({metric}{{{chosen}}}[{_RATE}]))", said


def _quantile(metric: str, by: str, *, where: str = "") -> Query:
    """Return what 19 of 20 take at most, by labels."""
    chosen = f"{_ON}, {where}" if where else _ON
    said = " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(","))
    rate = f"rate({metric}_bucket{{{chosen}}}[{_RATE}])"
    return f"histogram_quantile(0.95, sum by (le, {by}) ({rate}))", said


_NODE_OVERVIEW: Final = Dashboard(
    uid="node",
    title="Node overview",
    description="Is the node well, what does it run, what is asked of it, and where does time go.",
    panels=(
        figures(
            "Services that do not answer",
            (f"count(wherry_service_up{{{_ON}}} == 0) or vector(0)", ""),
            bad_from=1,
        ),
        figures("Plugins", (f"sum by (state) (wherry_plugins{{{_ON}}}) > 0", "{{state}}")),
        figures(
            "Enabled, and not running",
            (f"sum(wherry_plugin_enabled{{{_ON}}} - wherry_plugin_up{{{_ON}}})", ""),
            bad_from=1,
        ),
        states(
            "Services",
            (f"wherry_service_up{{{_ON}}}", "{{instance}} {{service}}"),
            zero="down",
            one="up",
        ),
        states(
            "Plugins that are ready",
            (f"wherry_plugin_up{{{_ON}}}", "{{plugin}}"),
            zero="not ready",
            one="ready",
        ),
        graph(
            "Requests",
            _rate("wherry_http_request_duration_seconds_count", "method, status"),
            unit="reqps",
        ),
        graph(
            "Requests: what 19 of 20 take at most",
            _quantile("wherry_http_request_duration_seconds", "route"),
            unit="s",
        ),
        graph(
            "Changes in hand, and waiting for their client's turn",
            (f"sum by (instance) (wherry_changes_in_hand{{{_ON}}})", "in hand {{instance}}"),
            (f"sum by (instance) (wherry_changes_waiting{{{_ON}}})", "waiting {{instance}}"),
        ),
        graph(
            "Changes that are refused",
            _rate("wherry_changes_refused_total", "instance, reason"),
            unit="cps",
            description="resource_exhausted: too many of one client; unavailable: of all together.",
        ),
        graph("What happened to plugins", _rate("wherry_plugin_facts_total", "action"), unit="cps"),
        graph("Jobs", (f"sum by (kind, state) (wherry_jobs{{{_ON}}})", "{{kind}} {{state}}")),
        traces(
            "Slow requests",
            '{ resource.service.name = "wherry-gateway" && kind = server && duration > 1s }',
        ),
        logs("What went wrong", '{job="wherry"} | json | level=~"warning|error|critical"'),
    ),
)

_PLUGIN: Final = Dashboard(
    uid="plugin",
    title="Plugin detail",
    description="One plugin: is it ready, does it last, what is done to it, what does it say.",
    variables=(
        NODE,
        Variable(name="plugin", series="wherry_plugin_up", label="plugin", is_multiple=False),
    ),
    panels=(
        figures(
            "Enabled",
            (f'wherry_plugin_enabled{{{_ON}, plugin="$plugin"}}', "{{instance}}"),
            width=6,
        ),
        figures("Ready", (f'wherry_plugin_up{{{_ON}, plugin="$plugin"}}', "{{instance}}"), width=6),
        figures(
            "Starts ever",
            (f'wherry_plugin_starts_total{{{_ON}, plugin="$plugin"}}', "{{instance}}"),
            width=6,
        ),
        figures(
            "Starts in a row that did not last",
            (f'wherry_plugin_restarts_in_a_row{{{_ON}, plugin="$plugin"}}', "{{instance}}"),
            bad_from=3,
            width=6,
        ),
        states(
            "Ready",
            (f'wherry_plugin_up{{{_ON}, plugin="$plugin"}}', "{{instance}}"),
            zero="not ready",
            one="ready",
        ),
        states(
            "Health checks",
            (f'wherry_plugin_healthy{{{_ON}, plugin=~"$plugin"}}', "{{instance}}"),
            zero="unhealthy",
            one="healthy",
        ),
        graph(
            "Starts",
            (
                f'increase(wherry_plugin_starts_total{{{_ON}, plugin="$plugin"}}[10m])',
                "{{instance}}",
            ),
            description="In the ten minutes before each moment.",
        ),
        graph(
            "Calls of its volume driver: what 19 of 20 take at most",
            _quantile("wherry_volume_call_duration_seconds", "method", where='plugin="$plugin"'),
            unit="s",
        ),
        traces("What was done to it", '{ span.wherry.plugin =~ "$plugin" && kind = server }'),
        traces(
            "Calls that it answered late or not at all",
            '{ span.rpc.method != "" && span.wherry.plugin =~ "$plugin" && '
            "(status = error || duration > 1s) }",
        ),
        logs("Log lines about it", '{job="wherry"} | json | plugin=~"$plugin"'),
    ),
)

_PULL: Final = Dashboard(
    uid="pull",
    title="Pull and unpack",
    description="Pulls, pushes and upgrades: how long, how many bytes, what the registries answer.",
    panels=(
        graph(
            "Jobs that end", _rate("wherry_job_duration_seconds_count", "kind, outcome"), unit="cps"
        ),
        graph(
            "Jobs: what 19 of 20 take at most",
            _quantile("wherry_job_duration_seconds", "kind"),
            unit="s",
        ),
        graph(
            "Bytes of blobs",
            _rate(
                "wherry_registry_received_bytes_total", "instance", legend="received {{instance}}"
            ),
            _rate("wherry_registry_sent_bytes_total", "instance", legend="sent {{instance}}"),
            unit="Bps",
        ),
        graph("Blobs", _rate("wherry_blob_duration_seconds_count", "outcome"), unit="cps"),
        graph(
            "Blobs: what 19 of 20 take at most",
            _quantile("wherry_blob_duration_seconds", "outcome"),
            unit="s",
        ),
        graph(
            "Unpacked",
            _rate("wherry_unpacked_bytes_total", "instance", legend="bytes {{instance}}"),
            unit="Bps",
        ),
        graph("Unpacked files", _rate("wherry_unpacked_files_total", "instance"), unit="cps"),
        graph(
            "Unpacking a layer: what 19 of 20 take at most",
            _quantile("wherry_unpack_duration_seconds", "instance"),
            unit="s",
        ),
        graph(
            "Answers of registries", _rate("wherry_registry_requests_total", "status"), unit="reqps"
        ),
        graph(
            "Requests that were repeated",
            _rate("wherry_registry_retries_total", "instance"),
            unit="cps",
        ),
        traces(
            "Pulls, pushes and upgrades",
            '{ resource.service.name = "wherry-pull" && name = "job" && span.wherry.job.id != "" }',
        ),
        traces(
            "Slow layers",
            '{ name = "blob" && span.wherry.cache.hit = false && '
            "span.wherry.bytes > 1000000 && span.wherry.bytes_per_s < 1000000 }",
            description="Fetched with less than 1 MB/s.",
        ),
        traces("Layers of many files", '{ name = "unpack" && span.wherry.files > 1000 }'),
    ),
)

_BATCH: Final = Dashboard(
    uid="batch",
    title="Batch upgrade",
    description="Upgrades, one by one and many at a time: how far, how long, what failed.",
    panels=(
        figures("Active controllers", (f"sum(wherry_controller_active{{{_ON}}})", ""), width=6),
        figures(
            "Nodes of the fleet",
            (f"sum by (state) (wherry_nodes{{{_ON}}}) > 0", "{{state}}"),
            width=6,
        ),
        figures(
            "Upgrades under way",
            (f'sum(wherry_jobs{{{_ON}, kind="upgrade", state=~"queued|running"}})', ""),
            width=6,
        ),
        figures(
            "Upgrades that failed, of the last week",
            (f'sum(wherry_jobs{{{_ON}, kind="upgrade", state="failed"}})', ""),
            bad_from=1,
            width=6,
        ),
        graph(
            "Batches that go on or wait",
            (
                f'sum by (state) (wherry_batches{{{_ON}, state=~"{_GOING_ON}"}})',
                "{{state}}",
            ),
        ),
        graph(
            "Their plugins, by how far each is",
            (f"sum by (state) (wherry_batch_plugins{{{_ON}}})", "{{state}}"),
        ),
        graph(
            "Tasks of services, by state",
            (f"sum by (state) (wherry_service_tasks{{{_ON}}})", "{{state}}"),
        ),
        graph(
            "Upgrades",
            (
                f'sum by (instance, state) (wherry_jobs{{{_ON}, kind="upgrade"}})',
                "{{instance}} {{state}}",
            ),
        ),
        graph(
            "Upgrades that end",
            _rate("wherry_job_duration_seconds_count", "outcome", where='kind="upgrade"'),
            unit="cps",
        ),
        graph(
            "Fetching and unpacking a version: what 19 of 20 take at most",
            _quantile("wherry_job_duration_seconds", "instance", where='kind="upgrade"'),
            unit="s",
        ),
        graph(
            "Plugins that are enabled and not ready",
            (
                f"sum by (instance) (wherry_plugin_enabled{{{_ON}}} - wherry_plugin_up{{{_ON}}})",
                "{{instance}}",
            ),
        ),
        graph("What happened to plugins", _rate("wherry_plugin_facts_total", "action"), unit="cps"),
        graph(
            "Bytes of blobs", _rate("wherry_registry_received_bytes_total", "instance"), unit="Bps"
        ),
        traces(
            "Upgrades, slowest parts below", '{ name = "job" && span.wherry.job.kind = "upgrade" }'
        ),
        traces(
            "Upgrades that failed",
            '{ name = "job" && span.wherry.job.kind = "upgrade" && status = error }',
        ),
        logs("What became of upgrades", '{job="wherry"} | json | kind="upgrade"'),
    ),
)

_BUS: Final = Dashboard(
    uid="bus",
    title="Bus and queues",
    description="Commands, facts and what waits: is somebody too slow, does somebody not answer.",
    panels=(
        figures(
            "Redis answers",
            (f"min by (service) (wherry_bus_up{{{_ON}}})", "{{service}}"),
            width=THIRD,
        ),
        figures("Buried", (f"sum(wherry_bus_dead_letters_total{{{_ON}}})", ""), bad_from=1),
        figures("Holes in the feed", (f"sum(wherry_event_gaps_total{{{_ON}}})", ""), bad_from=1),
        graph("Commands not read yet", (f"wherry_bus_lag{{{_ON}}}", "{{instance}} {{service}}")),
        graph("Commands in hand", (f"wherry_bus_pending{{{_ON}}}", "{{instance}} {{service}}")),
        graph(
            "Waiting for a handler: what 19 of 20 wait at most",
            _quantile("wherry_bus_command_wait_seconds", "service"),
            unit="s",
        ),
        graph("Commands", _rate("wherry_bus_command_duration_seconds_count", "type"), unit="cps"),
        graph(
            "Commands: what 19 of 20 take at most",
            _quantile("wherry_bus_command_duration_seconds", "type"),
            unit="s",
        ),
        graph(
            "Commands by how they ended",
            _rate("wherry_bus_command_duration_seconds_count", "service, outcome"),
            unit="cps",
        ),
        graph(
            "Facts", _rate("wherry_bus_fact_duration_seconds_count", "service, type"), unit="cps"
        ),
        graph(
            "Facts by how they ended",
            _rate("wherry_bus_fact_duration_seconds_count", "service, outcome"),
            unit="cps",
        ),
        graph("Came again", _rate("wherry_bus_redelivered_total", "service"), unit="cps"),
        graph("Buried", (f"increase(wherry_bus_dead_letters_total{{{_ON}}}[10m])", "{{service}}")),
        graph(
            "Sent, and not answered",
            (
                # Without the second half, nothing instead of 0 while every command is answered.
                f"{_UNANSWERED} or sum by (service) (0 * wherry_bus_lag{{{_ON}}})",
                "{{service}}",
            ),
        ),
        graph(
            "From a change to its event: what 19 of 20 take at most",
            _quantile("wherry_event_lag_seconds", "instance"),
            unit="s",
        ),
        graph("Newest number of the feed", (f"wherry_event_last_seq{{{_ON}}}", "{{instance}}")),
        traces(
            "Commands that failed",
            '{ kind = consumer && status = error && span.wherry.message.type != "" }',
        ),
    ),
)

_SERVICES: Final = Dashboard(
    uid="services",
    title="Service health",
    description="Each service's process, its disk and the programs that it runs.",
    panels=(
        states(
            "Answers",
            (f"wherry_service_up{{{_ON}}}", "{{instance}} {{service}}"),
            zero="down",
            one="up",
        ),
        graph(
            "Age of the processes",
            (f"time() - process_start_time_seconds{{{_ON}}}", "{{instance}} {{service}}"),
            unit="s",
            description="A fall to zero is a start.",
        ),
        graph(
            "Processor time",
            (f"rate(process_cpu_seconds_total{{{_ON}}}[{_RATE}])", "{{instance}} {{service}}"),
            unit="percentunit",
        ),
        graph(
            "Memory",
            (f"process_resident_memory_bytes{{{_ON}}}", "{{instance}} {{service}}"),
            unit="bytes",
            description="Shared memory is counted for each process.",
        ),
        graph("Open files", (f"process_open_fds{{{_ON}}}", "{{instance}} {{service}}")),
        graph(
            "Transactions",
            _rate("wherry_database_transaction_duration_seconds_count", "database"),
            unit="cps",
        ),
        graph(
            "Transactions: what 19 of 20 take at most",
            _quantile("wherry_database_transaction_duration_seconds", "database"),
            unit="s",
        ),
        graph("runc", _rate("wherry_runc_duration_seconds_count", "command"), unit="cps"),
        graph(
            "runc: what 19 of 20 take at most",
            _quantile("wherry_runc_duration_seconds", "command"),
            unit="s",
        ),
        graph("Containers", (f"sum by (status) (wherry_containers{{{_ON}}})", "{{status}}")),
        graph(
            "Health checks of plugins",
            _rate("engine_daemon_health_checks_total", "instance", legend="all {{instance}}"),
            _rate(
                "engine_daemon_health_checks_failed_total", "instance", legend="failed {{instance}}"
            ),
            unit="cps",
        ),
        graph(
            "Volumes",
            (f"sum by (driver) (wherry_volumes{{{_ON}}})", "{{driver}}"),
            (f"sum by (driver) (wherry_volume_mounts{{{_ON}}})", "{{driver}}, mounted"),
        ),
        traces("Slow transactions", '{ span.db.system.name = "sqlite" && duration > 100ms }'),
        traces(
            "Slow starts of containers",
            '{ resource.service.name = "wherry-executor" && span.container.id != "" && '
            "duration > 500ms }",
        ),
    ),
)

DASHBOARDS: Final = (_NODE_OVERVIEW, _PLUGIN, _PULL, _BATCH, _BUS, _SERVICES)
