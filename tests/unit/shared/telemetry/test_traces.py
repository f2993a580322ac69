"""Where spans go."""

from __future__ import annotations

import pytest

from shared import errdefs
from shared.telemetry.traces import TraceSettings


@pytest.mark.parametrize(
    ("env", "is_exported"),
    [
        pytest.param({}, False, id="nothing said"),
        pytest.param({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, True, id="an endpoint"),
        pytest.param({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c"}, True, id="for traces"),
        pytest.param({"OTEL_TRACES_EXPORTER": "otlp"}, True, id="the default endpoint"),
        pytest.param(
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "none"},
            False,
            id="no traces",
        ),
    ],
)
def test_the_standard_variables_say_whether_spans_are_exported(
    env: dict[str, str], is_exported: bool
) -> None:
    """An endpoint is enough, and none overrules it; the node keeps its own either way."""
    settings = TraceSettings.from_env(env)

    assert settings == TraceSettings(keep_bytes=4 * 2**20, is_exported=is_exported)
    assert settings.are_reads_recorded == is_exported


def test_a_disabled_sdk_keeps_and_exports_nothing() -> None:
    """OTEL_SDK_DISABLED overrules everything."""
    env = {"OTEL_SDK_DISABLED": "TRUE", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}

    assert TraceSettings.from_env(env) == TraceSettings(keep_bytes=0, is_exported=False)


def test_a_node_may_keep_nothing() -> None:
    """0 bytes is an answer."""
    assert TraceSettings.from_env({"WHERRY_TRACE_BYTES": "0"}).keep_bytes == 0


@pytest.mark.parametrize("name", ["WHERRY_TRACE_BYTES", "OTEL_TRACES_EXPORTER"])
def test_what_can_not_be_meant_is_refused_by_its_name(name: str) -> None:
    """The message names the variable."""
    with pytest.raises(errdefs.InvalidArgument, match=name):
        TraceSettings.from_env({name: "4 MB"})
