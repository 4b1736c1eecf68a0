"""Celery: `celery -A workers.app worker -Q graph,short,sync,long` and `celery -A workers.app beat`.

Owns: how messages are taken and acknowledged, and what happens when a worker starts and ends. Does not own:
the work (`workers.tasks`, `lineage.services`), which is safe without any promise of Celery's: the log's
cursors and the leases in the database decide who may write.
"""

from __future__ import annotations

import os
from typing import Any

import django
from celery import Celery, signals
from django.db import close_old_connections

from lineage import loading

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lineage.settings")
with loading.unsearched():
    django.setup()

    from lineage import broker
    from lineage.config import Config, current
    from lineage.errors import ConfigurationError
    from workers import acknowledging, beginning, schedule, stopping
    from workers.tasks import drain, graph  # noqa: F401  Celery would import them, later

TASKS = ("workers.tasks.graph", "workers.tasks.drain")


def make(config: Config) -> Celery[Any]:
    """Raises: ConfigurationError where no broker is configured."""
    if not config.broker:
        raise ConfigurationError(
            "LINEAGE_BROKER_URL is empty: without a broker `lineage worker` does Celery's work."
        )
    # Celery's own support of Django would close the pool of connections with each task.
    celery: Celery[Any] = Celery("lineage", fixups=[], task_cls=acknowledging.WakingTask)
    celery.conf.update(broker.settings(config.broker))
    celery.conf.update(
        imports=TASKS,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        # Messages are lost with Redis and found again by beat: no reason to stop what is being done.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_soft_shutdown_timeout=5.0,
        beat_schedule=schedule.entries(config),
        beat_scheduler="workers.schedule:Scheduler",
        beat_max_loop_interval=1.0,
    )
    return celery


def _tidy_connections(**_: object) -> None:
    """As Django does around requests: one task's broken connection is not the next one's."""
    close_old_connections()


def _keep_logging(**_: object) -> None:
    """With a receiver Celery configures nothing of its own: Django has, in the form that all share."""


def _begin(**_: object) -> None:
    beginning.begin()


signals.setup_logging.connect(_keep_logging)
signals.worker_process_init.connect(_begin)
signals.worker_shutting_down.connect(stopping.ask)
signals.beat_init.connect(stopping.end_beat)
signals.task_prerun.connect(stopping.in_child)
signals.task_prerun.connect(_tidy_connections)
signals.task_postrun.connect(_tidy_connections)

app = make(current())
