"""Values of which some are said and all else stays: what forms, requests and commands change things by."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET


class SaidValues(msgspec.Struct, forbid_unknown_fields=True):
    """Base of structs whose fields are `UNSET` until somebody says them. Secrets may be among them."""

    def __repr__(self) -> str:
        """Which fields are said; never what."""
        return f"{type(self).__name__}({', '.join(self.said())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(name, ...) for name in self.said()]

    def said(self) -> list[str]:
        """Names of the fields that are said."""
        return [name for name in self.__struct_fields__ if getattr(self, name) is not UNSET]
