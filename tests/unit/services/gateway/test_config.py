"""The gateway's settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.gateway.config import GatewayConfig
from services.gateway.domain.listening import TcpAddress
from shared import errdefs
from shared.node.config import NodeConfig


def _load(socket: str = "/run/wherry/docker.sock", **env: str) -> GatewayConfig:
    node = NodeConfig(
        name="n",
        root=Path("/var/lib/wherry"),
        exec_root=Path("/run/wherry"),
        socket=Path(socket),
        redis_url="redis://",
        private_redis=False,
    )
    return GatewayConfig.load(node, env)


def test_defaults() -> None:
    """Without settings there is no port, and a context may be large."""
    config = _load()
    assert config.listening.tcp == ()
    assert config.context_limit == 16 * 2**30


def test_registries() -> None:
    """What the pull service is told of registries is read here as well, to be shown."""
    config = _load(
        WHERRY_REGISTRY_MIRRORS="https://m", WHERRY_INSECURE_REGISTRIES="a:1, 10.0.0.0/8"
    )
    assert config.registry_mirrors == ("https://m",)
    assert config.insecure_registries == ("a:1", "10.0.0.0/8")


def test_proxies() -> None:
    """A proxy's login is not kept, for it is only shown."""
    config = _load(HTTPS_PROXY="http://me:pr0xy@proxy:1", NO_PROXY="a")
    assert config.proxies["HttpsProxy"] == "http://xxxxx:xxxxx@proxy:1"
    assert "pr0xy" not in repr(config)


def test_hosts() -> None:
    """Several loopback addresses may be named."""
    config = _load(WHERRY_HOST="tcp://127.0.0.1:2375, tcp://localhost:80,tcp://[::1]:1")
    assert config.listening.tcp == (
        TcpAddress(host="127.0.0.1", port=2375),
        TcpAddress(host="127.0.0.1", port=80),
        TcpAddress(host="::1", port=1),
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.1", "example.com", "[::]"])
def test_other_addresses_are_refused(host: str) -> None:
    """Without TLS, the API is not served beyond this machine, and the text says so."""
    with pytest.raises(errdefs.InvalidArgument, match="only to clients with a certificate"):
        _load(WHERRY_HOST=f"tcp://{host}:2375")


@pytest.mark.parametrize(
    "host", ["127.0.0.1:2375", "unix://x", "tcp://127.0.0.1", "tcp://a:0", "fd://"]
)
def test_what_is_no_address_is_refused(host: str) -> None:
    """Another form is refused, naming the variable."""
    with pytest.raises(errdefs.InvalidArgument, match=r"^WHERRY_HOST="):
        _load(WHERRY_HOST=host)


@pytest.mark.parametrize("limit", ["0", "-1", "1G", "²"])
def test_limit_is_refused(limit: str) -> None:
    """A limit is a number of bytes."""
    with pytest.raises(errdefs.InvalidArgument, match=r"^WHERRY_CONTEXT_LIMIT="):
        _load(WHERRY_CONTEXT_LIMIT=limit)


def test_times_of_the_store() -> None:
    """The gateway waits as long as the store may take."""
    config = _load(WHERRY_READY_TIMEOUT_S="90", WHERRY_STOP_GRACE_S="20")
    assert (config.ready_timeout_s, config.stop_grace_s) == (90.0, 20.0)
    with pytest.raises(errdefs.InvalidArgument, match=r"^WHERRY_STOP_GRACE_S="):
        _load(WHERRY_STOP_GRACE_S="long")


def test_long_socket_path_is_refused() -> None:
    """A path that no socket can have is refused at the start."""
    with pytest.raises(errdefs.InvalidArgument, match="at most 107 bytes"):
        _load(socket=f"/{'x' * 107}")


@pytest.mark.parametrize(
    ("value", "host"), [("127.0.0.1:9323", "127.0.0.1"), ("[::1]:9323", "::1"), (":9323", "")]
)
def test_metrics_have_an_address_of_their_own(value: str, host: str) -> None:
    """It is written as dockerd's --metrics-addr is; no host is every address."""
    assert _load(WHERRY_METRICS_ADDRESS=value).metrics == TcpAddress(host=host, port=9323)
    assert _load().metrics is None


@pytest.mark.parametrize("value", ["9323", "h:", "h:0", "h:65536", "h:x", "tcp://h"])
def test_metrics_address_that_is_none(value: str) -> None:
    """The error names the variable and shows a good one."""
    with pytest.raises(errdefs.InvalidArgument, match=r"METRICS_ADDRESS=.*127\.0\.0\.1:9323"):
        _load(WHERRY_METRICS_ADDRESS=value)


def test_links_of_the_console() -> None:
    """Addresses of other programs are given as browsers take them."""
    assert _load(WHERRY_GRAFANA_URL="https://g:3000/").grafana_url == "https://g:3000/"
    assert not _load().jaeger_url
    with pytest.raises(errdefs.InvalidArgument, match="WHERRY_JAEGER_URL=javascript"):
        _load(WHERRY_JAEGER_URL="javascript:alert(1)")


def test_changes_in_hand() -> None:
    """At least one is made at a time; none needs to wait."""
    config = _load(WHERRY_CHANGES_IN_HAND="1", WHERRY_CHANGES_WAITING="0")
    assert (config.changes_in_hand, config.changes_waiting) == (1, 0)
    assert (_load().changes_in_hand, _load().changes_waiting) == (256, 1024)


def test_how_long_changes_wait() -> None:
    """Two minutes, unless another time is said."""
    assert _load().changes_patience_s == 120
    assert _load(WHERRY_CHANGES_PATIENCE_S="1.5").changes_patience_s == 1.5
    with pytest.raises(errdefs.InvalidArgument, match="WHERRY_CHANGES_PATIENCE_S=0: must be"):
        _load(WHERRY_CHANGES_PATIENCE_S="0")


@pytest.mark.parametrize("value", ["0", "-1", "many", "1000001", "²"])
def test_bad_numbers_of_changes_are_refused(value: str) -> None:
    """The text names the variable and what may be said."""
    with pytest.raises(errdefs.InvalidArgument, match=r"CHANGES_IN_HAND.* 1 to 1000000"):
        _load(WHERRY_CHANGES_IN_HAND=value)
