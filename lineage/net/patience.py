"""How long we wait before we ask again."""

from __future__ import annotations

from urllib3.exceptions import InvalidHeader
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry

LONGEST_PAUSE_SECONDS = 30.0
"""Whatever a server says."""


class Patience(Retry):
    """Waits as the server says, but not for ever."""

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        try:
            told = super().get_retry_after(response)
        except (InvalidHeader, ValueError, OverflowError):
            return None  # it says no time: as long as for others
        return None if told is None else min(told, LONGEST_PAUSE_SECONDS)
