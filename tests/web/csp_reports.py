"""A server that takes the reports of a Content-Security-Policy."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Reports:
    """`bodies` are the reports so far, each a JSON text; `arrived` is set with the first."""

    url: str = ""
    bodies: list[str] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)


@contextmanager
def collecting() -> Iterator[Reports]:
    reports = Reports()

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            reports.bodies.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            reports.arrived.set()
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the reports themselves are what is looked at."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as server:
        reports.url = f"http://127.0.0.1:{server.server_port}/reports"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield reports
        finally:
            server.shutdown()
            thread.join()
