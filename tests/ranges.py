"""Answers with a file's bytes as a server with ranges gives them, for services that are not run here."""

from __future__ import annotations

import re

from tests.hostile_http import answer

_RANGE = re.compile(rb"\r\n(?:x-ms-)?Range: bytes=([0-9]+)-([0-9]*)\r\n", re.IGNORECASE)


def part(content: bytes, request: bytes, *headers: str) -> bytes:
    """All of it, the range that was asked for, or just the head."""
    if request.startswith(b"HEAD"):
        return answer(b"", "200 OK", *headers, length=len(content))
    if asked := _RANGE.search(request):
        start, stop = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
        if start > stop:
            return answer(b"", "416 Range", *headers)
        told = f"Content-Range: bytes {start}-{stop}/{len(content)}"
        return answer(content[start : stop + 1], "206 Partial", told, *headers)
    return answer(content, "200 OK", *headers)
