"""A witness of its own making, from the specification: it shares no code with the product. Real HTTP.

Source: C2SP tlog-witness, tlog-cosignature; RFC 9162 section 2.1.4.2 (consistency).
"""

from __future__ import annotations

import hashlib
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

DASH = "\u2014 "


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def extends(old: int, new: int, old_root: bytes, new_root: bytes, path: list[bytes]) -> bool:
    """RFC 9162, 2.1.4.2, step by step."""
    if old == new:
        return old_root == new_root and not path
    if old == 0:
        return not path
    if not path:
        return False
    if old & (old - 1) == 0:
        path = [old_root, *path]
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = _node(c, fr), _node(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = _node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return fr == old_root and sr == new_root and sn == 0


@dataclass
class TestWitness:
    """`seconds`: its clock. `seen`: size and root of what it cosigned last. `answers`: statuses it gave.

    `other_keys`: verifier keys of further logs, of which `trees` are those that it cosigned last, by origin.
    """

    __test__ = False
    seconds: int
    log_key: str = ""
    name: str = "witness.example/w1"
    seen: tuple[int, bytes] = (0, hashlib.sha256(b"").digest())
    port: int = 0
    answers: list[int] = field(default_factory=list)
    other_keys: list[str] = field(default_factory=list)
    trees: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def raw(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    @property
    def verifier_key(self) -> str:
        return f"{self.name}+{self.hashed.hex()}+{b64encode(bytes([4]) + self.raw).decode()}"

    @property
    def hashed(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n\x04" + self.raw).digest()[:4]

    def cosign(self, body: str) -> bytes:
        signed = self.key.sign(f"cosignature/v1\ntime {self.seconds}\n{body}".encode())
        whole = self.hashed + self.seconds.to_bytes(8, "big") + signed
        return f"{DASH}{self.name} {b64encode(whole).decode()}\n".encode()

    def add(self, request: bytes) -> tuple[int, bytes]:
        head, note = request.decode().split("\n\n", 1)
        body, signatures = note.rsplit("\n\n", 1)
        body += "\n"
        origin, size_text, root_text = body.split("\n")[:3]
        known = {text.split("+", 1)[0]: text for text in (*self.other_keys, self.log_key) if text}
        if origin not in known:
            return 404, b""
        name, _, encoded = known[origin].split("+", 2)
        first_log = known[origin] == self.log_key
        if not any(_signed(line, body, name, b64decode(encoded)) for line in signatures.splitlines()):
            return 403, b""
        first, *lines = head.split("\n")
        old, size, root = int(first.removeprefix("old ")), int(size_text), b64decode(root_text)
        if old > size:
            return 400, b""
        with self.lock:
            seen = self.seen if first_log else self.trees.get(origin, (0, hashlib.sha256(b"").digest()))
            if old != seen[0] or (old == size and root != seen[1]):
                return 409, f"{seen[0]}\n".encode()
            if not extends(old, size, seen[1], root, [b64decode(line) for line in lines]):
                return 422, b""
            if first_log:
                self.seen = (size, root)
            else:
                self.trees[origin] = (size, root)
        return 200, self.cosign(body)


def _signed(line: str, body: str, name: str, key: bytes) -> bool:
    said, _, encoded = line.removeprefix(DASH).partition(" ")
    signature = b64decode(encoded)
    if said != name or signature[:4] != hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature[4:], body.encode())
    except InvalidSignature:
        return False
    return True


@contextmanager
def running(witness: TestWitness) -> Iterator[TestWitness]:
    """Answers on a free port until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = self.rfile.read(int(self.headers["Content-Length"]))
            status, body = witness.add(request) if self.path == "/add-checkpoint" else (404, b"")
            witness.answers.append(status)
            self.send_response(status)
            self.send_header("Content-Type", "text/x.tlog.size" if status == 409 else "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Says nothing: the test tells what came."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    witness.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield witness
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
