"""How Celery reaches Redis: options, queues and task names that senders and workers share.

Owns: these values, and how full a queue may be. Services send a wake-up by its task's name, because they
don't import `workers`. Redis carries wake-ups alone: a lost, doubled or late one costs latency, nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kombu import Connection

GRAPH, SHORT, SYNC, LONG = "graph", "short", "sync", "long"
QUEUES = (GRAPH, SHORT, SYNC, LONG)
"""`graph` follows the log (projection, Neo4j, checkpoints); the others drain jobs of those queues. `sync`
polls other servers: it waits for no bytes to be hashed, and holds up nothing that is due by the clock."""

PROJECT = "lineage.project"
PROJECT_NEO4J = "lineage.project_neo4j"
PUBLISH = "lineage.publish"
DRAIN = "lineage.drain"
BEAT = "lineage.beat"

MAX_WAITING = 32
"""Messages in a queue above which no further wake-up is sent: those that wait will find the work anyway, and
without workers the queue would grow without end."""
VISIBILITY_SECONDS = 7200
"""How long Redis waits for an acknowledgement before it hands a message out again. Longer than any lease, so
that no message comes back before its job may be taken by another."""
CONNECT_SECONDS = 3.0
SOCKET_SECONDS = 10.0
"""Longer than the second that a worker waits for a message at a time."""


def settings(url: str) -> dict[str, Any]:
    """Celery's settings that senders and workers share.

    Source: docs.celeryq.dev, Configuration and defaults.
    """
    return {
        "broker_url": url,
        "broker_transport_options": {
            "visibility_timeout": VISIBILITY_SECONDS,
            "socket_timeout": SOCKET_SECONDS,
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_keepalive": True,
            "health_check_interval": 25,
            # Whoever can't send says so and goes on; kombu would try for ever.
            "max_retries": 1,
            "interval_start": 0.0,
            "interval_step": 0.0,
            "interval_max": 0.0,
        },
        "broker_connection_timeout": CONNECT_SECONDS,
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_publish_retry": False,
        "task_send_sent_event": False,
        "task_create_missing_queues": True,
        "task_default_queue": SHORT,
    }


def has_room(connection: Connection, queue: str) -> bool:
    """Whether one more wake-up in `queue` is of use. Raises what kombu raises where Redis is away."""
    channel: Any = connection.default_channel
    return bool(channel.queue_declare(queue=queue, durable=True).message_count < MAX_WAITING)
