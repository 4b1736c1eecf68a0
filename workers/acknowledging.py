"""Go on after an acknowledgement that Redis did not take.

kombu counts a message as in hand until Redis has taken its acknowledgement. One message in hand is all that a
worker takes, and where Redis was away in that moment, it would wait for ever, with a connection that nobody
looks at. What an acknowledgement is worth here is little (messages are wake-ups), so it is counted as done,
and the next look for messages finds the broken connection and makes a new one.
Source: docs.celeryq.dev, Tasks, "Requests and custom requests".
"""

from __future__ import annotations

from celery import Task
from celery.worker.request import Request
from kombu.transport import virtual


class ForgettingRequest(Request):
    """A request whose message leaves the worker's hands, whether Redis is there or not."""

    def acknowledge(self) -> None:
        super().acknowledge()
        self._forget()

    def reject(self, requeue: bool = False) -> None:
        super().reject(requeue=requeue)
        self._forget()

    def _forget(self) -> None:
        message = self.message
        if not message.acknowledged:
            # The base's method counts and does not speak to Redis.
            virtual.QoS.ack(message.channel.qos, message.delivery_tag)


class WakingTask(Task):  # type: ignore[type-arg]
    """The base of all tasks here."""

    abstract = True
    Request = f"{__name__}:{ForgettingRequest.__name__}"
