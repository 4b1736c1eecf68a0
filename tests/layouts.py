"""Layouts and links for tests: written as other tools write them, and signed on demand.

Keys follow from their names, so that the same test makes the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from lineage.trust import dsse, keys
from lineage.trust.keys import PrivateKey
from lineage.trust.layouts import Evidence, read_evidence
from lineage.trust.layouts_metadata import canonical
from lineage.trust.leaf import parse_rfc3339

NOW_US = parse_rfc3339("2026-01-15T12:00:00Z")
EXPIRES = "2030-01-01T00:00:00Z"


def key(name: str) -> PrivateKey:
    return keys.generate_ed25519(hashlib.sha256(name.encode()).digest())


def keyid(name: str) -> str:
    """The name that the layout gives to a key, as securesystemslib does."""
    return hashlib.sha256(canonical(_described(name))).hexdigest()


def _described(name: str) -> dict[str, Any]:
    public = key(name).public.raw_ed25519().hex()
    return {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": public}}


def named(*names: str) -> dict[str, Any]:
    """The `keys` member of a layout."""
    return {keyid(name): {"keyid": keyid(name), **_described(name)} for name in names}


def sha(text: str) -> dict[str, str]:
    return {"sha256": hashlib.sha256(text.encode()).hexdigest()}


def step(name: str, who: Sequence[str], **members: Any) -> dict[str, Any]:
    return {
        "_type": "step",
        "name": name,
        "pubkeys": [keyid(one) for one in who],
        "threshold": 1,
        "expected_command": [],
        "expected_materials": [],
        "expected_products": [],
        **members,
    }


def layout(steps: Sequence[Mapping[str, Any]], who: Sequence[str], **members: Any) -> dict[str, Any]:
    return {
        "_type": "layout",
        "steps": list(steps),
        "inspect": [],
        "keys": named(*who),
        "expires": EXPIRES,
        "readme": "",
        **members,
    }


def two_steps(**members: Any) -> dict[str, Any]:
    """Bob writes foo.py, Carl packs it: the demo of in-toto, without its inspection."""
    asked = layout(
        [
            step("write-code", ["bob"], expected_products=[["CREATE", "foo.py"], ["DISALLOW", "*"]]),
            step(
                "package",
                ["carl"],
                expected_command=["tar", "zcvf", "foo.tar.gz", "foo.py"],
                expected_materials=[
                    ["MATCH", "foo.py", "WITH", "PRODUCTS", "FROM", "write-code"],
                    ["DISALLOW", "*"],
                ],
                expected_products=[["CREATE", "foo.tar.gz"], ["ALLOW", "foo.py"], ["DISALLOW", "*"]],
            ),
        ],
        ["bob", "carl"],
    )
    return {**asked, **members}


def link(
    name: str,
    materials: Mapping[str, str] | None = None,
    products: Mapping[str, str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Paths with the texts that the files hold."""
    return {
        "_type": "link",
        "name": name,
        "command": [],
        "materials": {path: sha(text) for path, text in (materials or {}).items()},
        "products": {path: sha(text) for path, text in (products or {}).items()},
        "byproducts": {},
        "environment": {},
        **more,
    }


CODE = link("write-code", {}, {"foo.py": "print(1)"})
PACKED = link(
    "package",
    {"foo.py": "print(1)"},
    {"foo.py": "print(1)", "foo.tar.gz": "packed"},
    command=["tar", "zcvf", "foo.tar.gz", "foo.py"],
)
ARTIFACT = sha("packed")


def metablock(signed: Mapping[str, Any], *who: str) -> bytes:
    """Classic metadata."""
    message = canonical(dict(signed))
    signatures = [{"keyid": keyid(one), "sig": key(one).sign(message).hex()} for one in who]
    return json.dumps({"signed": signed, "signatures": signatures}, indent=1).encode()


def enveloped(signed: Mapping[str, Any], *who: str) -> bytes:
    """The same in a DSSE envelope."""
    payload = json.dumps(signed).encode()
    message = dsse.pae(dsse.INTOTO_PAYLOAD_TYPE, payload)
    return json.dumps(
        {
            "payloadType": dsse.INTOTO_PAYLOAD_TYPE,
            "payload": dsse.encode_base64(payload),
            "signatures": [
                {"keyid": keyid(one), "sig": dsse.encode_base64(key(one).sign(message))} for one in who
            ],
        }
    ).encode()


def evidence(*files: bytes, step: str = "") -> list[Evidence]:
    return [read_evidence(data, f"file {number}", step=step) for number, data in enumerate(files)]
