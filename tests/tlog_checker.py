"""Reads a tlog-tiles log over HTTP, recomputes all of it: `tlog_checker.py URL VKEY`. No product code.

Source: C2SP tlog-tiles, tlog-checkpoint, signed-note; RFC 6962 section 2.1.
"""

import hashlib
import sys
import urllib.request
from base64 import b64decode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return bytes(answer.read())


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def signed(note: str, vkey: str) -> tuple[int, bytes]:
    """Size and root, where the key signed them; anything else raises."""
    body, signatures = note.rsplit("\n\n", 1)
    name, _, key = vkey.split("+", 2)
    raw = b64decode(key)
    for line in signatures.splitlines():
        _, who, blob = line.split(" ")
        signature = b64decode(blob)
        if who == name and signature[:4] == sha(name.encode() + b"\n" + raw)[:4]:
            Ed25519PublicKey.from_public_bytes(raw[1:]).verify(signature[4:], f"{body}\n".encode())
            origin, size, root = body.split("\n")[:3]
            assert origin == name, "another log"
            return int(size), b64decode(root)
    raise AssertionError("the log's key did not sign")


def place(number: int, width: int) -> str:
    digits = f"{number:03}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]]) + (
        f".p/{width}" if width < 256 else ""
    )


def top(hashes: list[bytes]) -> bytes:
    while len(hashes) > 1:
        pairs = [sha(b"\x01" + hashes[i] + hashes[i + 1]) for i in range(0, len(hashes) - 1, 2)]
        hashes = pairs + hashes[len(hashes) & ~1 :]
    return hashes[0]


def check(url: str, vkey: str) -> tuple[int, list[bytes]]:
    """Size and leaves of the log, all of whose tiles and bundles lead to the signed root."""
    size, root = signed(get(f"{url}/checkpoint").decode(), vkey)
    leaves: list[bytes] = []
    for number in range(-(-size // 256)):
        data = get(f"{url}/tile/entries/{place(number, min(256, size - number * 256))}")
        while data:
            length = int.from_bytes(data[:2], "big")
            leaves.append(data[2 : 2 + length])
            data = data[2 + length :]
    row = [sha(b"\x00" + leaf) for leaf in leaves]
    assert len(row) == size and top(row) == root, "the entries do not lead to the root"  # noqa: PT018
    level = 0
    while row:
        for number in range(-(-len(row) // 256)):
            part = row[number * 256 : number * 256 + 256]
            assert get(f"{url}/tile/{level}/{place(number, len(part))}") == b"".join(part), "a tile differs"
        row = [top(row[at : at + 256]) for at in range(0, len(row) - 255, 256)]
        level += 1
    return size, leaves


if __name__ == "__main__":
    print(check(sys.argv[1].rstrip("/"), sys.argv[2])[0], "entries: all as signed")
