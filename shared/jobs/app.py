"""The Celery app of a node, for both ends of its queue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

from celery import Celery
from kombu.connection import Connection

from shared import errdefs
from shared.jobs.names import queue_name
from shared.sentinels import Sentinels

#: Seconds that a message stays with a worker that does not say it is alive; a worker that is
#: killed loses its messages to the next one after this and a sweep.
VISIBILITY_S: Final = 60
_SWEEP_S: Final = 5


class PromptConnection(Connection):
    """Looks for a Redis that went away every other second, where kombu waits up to thirty."""

    def ensure_connection(self, *args: Any, **options: Any) -> Any:
        """Connect, tried again until it succeeds."""
        pace = {"interval_start": 0.2, "interval_step": 0.4, "interval_max": 2.0}
        return super().ensure_connection(  # type: ignore[no-untyped-call] # kombu has no types
            *args, **{**pace, **options}
        )


def make_app(*, redis_url: str, node: str, visibility_s: int = VISIBILITY_S) -> Celery:
    """Return the app of *node*'s queue; nothing is connected yet.

    Raises InvalidArgument for a Redis that Celery can't use.
    """
    app = Celery("wherry", broker=broker_url(redis_url), set_as_current=False)
    app.conf.update(_settings(node, visibility_s))
    if sentinels := Sentinels.parse(redis_url):
        app.conf.broker_transport_options |= {
            "master_name": sentinels.master,
            "sentinel_kwargs": {"socket_timeout": 1, "socket_connect_timeout": 1},
        }
    app.amqp.Connection = PromptConnection
    return app


def broker_url(redis_url: str) -> str:
    """Return Celery's URL for the bus's Redis: the database after the bus's own."""
    if sentinels := Sentinels.parse(redis_url):
        return ";".join(_sentinel_urls(sentinels))
    parts = urlsplit(redis_url)
    match parts.scheme:
        case "unix":
            database = (parse_qs(parts.query).get("db") or ["0"])[0]
            login = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
            return f"redis+socket://{login}{quote(parts.path)}?virtual_host={_next(database)}"
        case "redis" | "rediss":
            query = parts.query
            if parts.scheme == "rediss" and "ssl_cert_reqs" not in query:
                query = f"{query}&ssl_cert_reqs=required".lstrip("&")
            return urlunsplit(parts._replace(path=f"/{_next(parts.path.strip('/'))}", query=query))
        case _:
            raise errdefs.InvalidArgument(
                f"WHERRY_REDIS_URL: jobs cannot be queued on a {parts.scheme}:// address: "
                "use unix://, redis://, rediss:// or redis+sentinel://"
            )


def _sentinel_urls(sentinels: Sentinels) -> Iterator[str]:
    """Yield what Celery wants: each Sentinel, with the login of the Redis behind it."""
    behind = urlsplit(sentinels.redis_url)
    login, at, _ = behind.netloc.rpartition("@")
    for host, port in sentinels.places:
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        yield f"sentinel://{login}{at}{place}/{_next(behind.path.strip('/'))}"


def _next(database: str) -> int:
    return int(database or 0) + 1


def _settings(node: str, visibility_s: int) -> dict[str, Any]:
    queue = queue_name(node)
    return {
        "task_default_queue": queue,
        "task_create_missing_queues": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        # Results go over the bus, and the store keeps how a job ended.
        "task_ignore_result": True,
        "result_backend": None,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        # A thread can't be cancelled from outside: its job goes on, and the message that comes
        # back finds the job taken.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_enable_prefetch_count_reduction": False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # Whoever wants to know asks the store; control messages would be a second way in.
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        "worker_hijack_root_logger": False,
        "enable_utc": True,
        # One new try at once for a connection that Redis has closed meanwhile.
        "task_publish_retry": True,
        "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0},
        "broker_connection_timeout": 5,
        "broker_transport_options": _transport_options(node, visibility_s),
    }


def _transport_options(node: str, visibility_s: int) -> dict[str, Any]:
    return {
        "global_keyprefix": f"wherry:{node}:celery:",
        "visibility_timeout": visibility_s,
        "unacked_restore_interval": min(_SWEEP_S, visibility_s),
        # Each sweep looks; by default only each tenth does.
        "unacked_restore_throttle": 1,
        "priority_steps": [0, 3, 6, 9],
        "queue_order_strategy": "priority",
        "socket_timeout": 30,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 25,
    }
