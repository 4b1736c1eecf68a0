"""Whether a database server has said something on a connection that nobody has asked anything."""

from __future__ import annotations

import select
from typing import Any


def has_spoken(connection: Any) -> bool:
    """Whether there is something to read: from an idle server that is its last word.

    `connection` is a driver's own, with a file descriptor.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
