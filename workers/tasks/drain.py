"""Tasks of the queues `short` and `long`: jobs are rows, and these only look for them."""

from __future__ import annotations

from celery import shared_task

from lineage import broker
from lineage.services import beats, jobs
from workers import stopping
from workers.outages import survived


@shared_task(name=broker.DRAIN)
def drain(queue: str) -> None:
    with survived(f"Draining the queue {queue}"):
        beats.beat(queue)
        jobs.drain(stopping.worker_name(), queues=(queue,), stop=stopping.asked)


@shared_task(name=broker.BEAT)
def beat() -> None:
    """What is due by the clock becomes a job."""
    with survived("Looking at the clock"):
        jobs.enqueue_recurring()
