"""The example of docs/verify.md is run as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lineage.trust import dsse
from lineage.trust.digest import sha256_hex
from tests import factories

DOC = Path(__file__).parents[2] / "docs" / "verify.md"


@pytest.mark.parametrize("altered", [False, True])
def test_the_gate_of_a_pipeline(altered: bool) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", DOC.read_text(), re.DOTALL)
    signer = factories.signer()
    model = factories.artifact("model")
    envelope = signer.envelope(factories.statement(model))
    assert dsse.parse(envelope).payload_type == dsse.INTOTO_PAYLOAD_TYPE
    names = {
        "now_us": 0,
        "public_key_pem": signer.private.public.pem(),
        "digest_of_the_model": sha256_hex(b"another") if altered else model["digest"]["sha256"],
        "envelope": envelope,
    }
    if altered:
        with pytest.raises(SystemExit, match="none of its subjects"):
            exec(code, names)
    else:
        exec(code, names)
