"""Signals that ask a foreground command to stop, kept until it looks."""

from __future__ import annotations

import signal
from types import FrameType


class Interrupts:
    """From its making on, Ctrl-C, SIGTERM and SIGHUP only set `came`."""

    def __init__(self) -> None:
        self.came = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.came = True
