"""Tasks of the queue `graph`: they follow the log by their own cursors, so a lost wake-up loses nothing."""

from __future__ import annotations

from celery import shared_task

from lineage import broker
from lineage.services import beats, follow
from workers.outages import survived


@shared_task(name=broker.PROJECT)
def project() -> None:
    with survived("The projection"):
        beats.beat(broker.GRAPH)
        follow.project(follow.STAY_SECONDS)


@shared_task(name=broker.PROJECT_NEO4J)
def project_neo4j() -> None:
    with survived("The projection to Neo4j"):
        follow.project_neo4j(follow.STAY_SECONDS)


@shared_task(name=broker.PUBLISH)
def publish() -> None:
    with survived("Publishing"):
        follow.publish()
