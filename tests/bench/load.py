"""The load: envelopes signed beforehand, sent over kept-alive sockets with little work a request."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from lineage.trust import dsse
from lineage.trust.digest import sha256_hex
from lineage.trust.keys import PrivateKey

RUN = "urn:lineage:predicate:training-run:v1"
BUILDER = "https://ci.example/bench"


def envelopes(key: PrivateKey, count: int, *, size: int = 3000) -> list[bytes]:
    """Training runs of about `size` bytes a statement, each with fresh outputs and a few shared inputs."""
    prefix = uuid4().hex
    padding = {f"parameter{i}": "x" * 40 for i in range(max(0, size - 1400) // 60)}
    return [_envelope(key, prefix, number, padding) for number in range(count)]


def _envelope(key: PrivateKey, prefix: str, number: int, padding: dict[str, str]) -> bytes:
    def artifact(name: str) -> dict[str, object]:
        return {"name": f"bench/{name}", "digest": {"sha256": sha256_hex(f"{prefix}{name}".encode())}}

    inputs = [
        artifact(f"data-{number % 50}"),
        artifact(f"base-{number % 7}"),
        artifact(f"model-{number - 1}"),
    ]
    return _sign(key, f"{prefix}-{number}", [artifact(f"model-{number}")], inputs, padding)


def chain(key: PrivateKey, width: int, depth: int) -> tuple[list[bytes], str]:
    """A lineage of width x depth artifacts with as many runs; the envelopes, and the last one's node key."""
    prefix = uuid4().hex

    def artifact(level: int, place: int) -> dict[str, object]:
        name = f"layer-{level}-{place}"
        return {"name": f"bench/{name}", "digest": {"sha256": sha256_hex(f"{prefix}{name}".encode())}}

    made = []
    for level in range(1, depth + 1):
        for place in range(width if level < depth else 1):
            inputs = [
                artifact(level - 1, p) for p in range(width) if level == depth or (p - place) % width < 3
            ]
            made.append(_sign(key, f"{prefix}-{level}-{place}", [artifact(level, place)], inputs, {}))
    return made, "sha256:" + sha256_hex(f"{prefix}layer-{depth}-0".encode())


def _sign(
    key: PrivateKey, invocation: str, outputs: list[dict[str, object]], inputs: list[dict[str, object]],
    parameters: dict[str, str],
) -> bytes:  # fmt: skip
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": outputs,
        "predicateType": RUN,
        "predicate": {
            "builder": {"id": BUILDER},
            "invocationId": invocation,
            "activity": "training",
            "startedOn": "2026-11-01T10:00:00Z",
            "finishedOn": "2026-11-01T11:00:00Z",
            "inputs": inputs,
            "parameters": parameters,
        },
    }
    return dsse.sign(dsse.INTOTO_PAYLOAD_TYPE, json.dumps(statement).encode(), key)


@dataclass
class Result:
    """`latencies` in seconds, unordered; `seconds` from the first request to the last answer."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Connection:
    """One kept-alive HTTP/1.1 connection; raises where an answer is not the status that is expected."""

    def __init__(self, port: int, token: str, extra: str = "") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n{extra}"

    def request(self, method: str, path: str, body: bytes, media: str, expect: tuple[int, ...]) -> bytes:
        head = f"{method} {path} HTTP/1.1\r\n{self._head}Content-Type: {media}\r\n"
        self._socket.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._receive()
        head_bytes, _, content = received.partition(b"\r\n\r\n")
        status = int(head_bytes[9:12])
        length = next(
            int(line[15:]) for line in head_bytes.split(b"\r\n") if line[:15].lower() == b"content-length:"
        )
        parts, missing = [content], length - len(content)
        while missing > 0:
            parts.append(self._receive())
            missing -= len(parts[-1])
        if status not in expect:
            raise RuntimeError(f"{method} {path}: {status} {content[:500]!r}")
        return b"".join(parts)

    def _receive(self) -> bytes:
        data = self._socket.recv(1 << 18)
        if not data:
            raise RuntimeError("the server closed the connection")
        return data


def post(
    port: int, token: str, bodies: Sequence[bytes], *, connections: int, media: str, expect: tuple[int, ...],
    rate: float | None = None,
) -> Result:  # fmt: skip
    """Send every body once over so many connections; `rate` is the most requests a second in all.

    Without a rate a connection that is free takes the next body: a web process has the connections that it
    happens to have, and with as many bodies for each the one with most of them would be timed alone.
    """
    result = Result()
    start = time.perf_counter() + 0.05
    next_ones = iter(range(len(bodies)))

    def work(first: int) -> None:
        connection = Connection(port, token)
        for number in range(first, len(bodies), connections) if rate else next_ones:
            due = start + number / rate if rate else start
            pause = due - time.perf_counter()
            if pause > 0:
                time.sleep(pause)
            begin = time.perf_counter()
            connection.request("POST", "/api/v1/attestations", bodies[number], media, expect)
            result.latencies.append(time.perf_counter() - (due if rate else begin))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(result.latencies) != len(bodies):
        raise RuntimeError("some requests failed; see above")
    result.seconds = time.perf_counter() - start
    return result
