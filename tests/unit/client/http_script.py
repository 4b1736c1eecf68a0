"""A real HTTP server in this process that answers what the test wrote down."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

RECEIPT = {
    "digest": "sha256:" + "a" * 64,
    "statement": "sha256:" + "b" * 64,
    "index": 7,
    "state": "integrated",
    "predicate_type": "urn:x",
    "links": {},
}


def problem(slug: str, status: int) -> tuple[int, bytes]:
    """An answer that refuses."""
    told = {"type": f"urn:lineage:problem:{slug}", "title": slug, "status": status, "detail": "because"}
    return status, json.dumps(told).encode()


RECEIVED = (201, json.dumps(RECEIPT).encode())


@dataclass
class Script:
    """Answers in order, the last one again and again; the bodies that came."""

    url: str = ""
    answers: list[tuple[int, bytes]] = field(default_factory=lambda: [RECEIVED])
    bodies: list[bytes] = field(default_factory=list)


@contextmanager
def scripted() -> Iterator[Script]:
    """A server that does as the script says, until the block ends."""
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            script.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            status, body = script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        script.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()
