"""What can be wrong with an MLflow server's answer, or with the way to it."""

from __future__ import annotations

from typing import Literal

from lineage.errors import UnavailableError

Trouble = Literal[
    "unreachable",
    "timeout",
    "tls",
    "refused-address",
    "not-mlflow",
    "server-error",
    "too-many-requests",
    "cut-off",
    "too-large",
    "unauthorized",
    "bad-answer",
]


class SourceError(UnavailableError):
    """The server, or its network, gave no usable answer: what was asked is not known, and nothing is gone.

    Attributes:
        trouble: which kind it is.
        message: for people, without any secret.
    """

    def __init__(self, trouble: Trouble, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.trouble = trouble
