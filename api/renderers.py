"""Answers as JSON, encoded by msgspec: structs, mappings, lists; fields in their declared order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from rest_framework.renderers import BaseRenderer

encoder = msgspec.json.Encoder()


class JsonRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None
    render_style = "binary"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """UTF-8 JSON; an answer without content is empty."""
        return b"" if data is None else encoder.encode(data)
