"""The table: vector, what it expects, what we say, what another library says, and why where they differ.

`python -m tests.vectors.table` writes `table.md` again; `test_table` holds it to what is so.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lineage.trust import verify
from tests.vectors import (
    conftest,
    opinions,
    test_dsse,
    test_in_toto_links,
    test_model_signatures,
    test_sigstore,
    test_slsa,
)

FILE = Path(__file__).with_name("table.md")
HEAD = """# Third-party vectors: expected, ours, a second opinion

Never verified is what refuted, malformed and inconclusive have in common. A second opinion is "silent" where
the library can't read the file, or does not judge its kind. Layouts: `test_in_toto_layouts.py`. Written by
`python -m tests.vectors.table`.

| family | vector | expected | ours | second opinion | where they differ |
|---|---|---|---|---|---|
"""
Case = dict[str, Any]
Said = tuple[str, str]


def _dsse(vectors: Path, case: Case) -> Said:
    data = test_dsse.envelope_bytes(vectors, case)
    keys = test_dsse.public_keys(vectors, case)
    ours = verify.verify_file_envelope(data, keys, None, at_us=0).outcome.value
    if case["why"] == "not JSON":
        return ours, opinions.SILENT
    theirs = test_dsse._second_opinion(data, [vectors / name for name in case["keys"]])
    return ours, opinions.VERIFIED if theirs == "verified" else opinions.REFUSED


def _in_toto(vectors: Path, case: Case) -> Said:
    ours = test_in_toto_links.judged(vectors, case).outcome.value
    theirs = test_in_toto_links.second_opinion(vectors, case) if "keys" in case else opinions.SILENT
    return ours, theirs


def _slsa(vectors: Path, case: Case) -> Said:
    data = test_slsa.content(vectors, case)
    theirs = opinions.sigstore(data, vectors / test_slsa.ROOT, None)
    return test_slsa.judged(vectors, case).outcome.value, theirs


def _sigstore(vectors: Path, case: Case) -> Said:
    if "wrong-key" in case["file"]:
        return "refuted", opinions.SILENT  # the key's file can't be read
    ours = test_sigstore.judged(vectors, case).outcome.value
    return ours, test_sigstore.second_opinion(vectors, case) if "roots" in case else opinions.SILENT


def _model(vectors: Path, case: Case) -> Said:
    """Sigstore's library says nothing of a model's files, and knows no keys and authorities of others."""
    with tempfile.TemporaryDirectory() as scratch:
        told, _ = test_model_signatures.asked(vectors, case, Path(scratch))
    theirs = opinions.SILENT
    if "identity" in case and "mutate" not in case:
        root = vectors / case["keys"][0]
        theirs = opinions.sigstore((vectors / case["file"]).read_bytes(), root, None)
    return str(told["outcome"]), theirs


FAMILIES: dict[str, tuple[Callable[[Path, Case], Said], Callable[[Case], bool], dict[str, str]]] = {
    "dsse": (_dsse, lambda case: True, test_dsse.OTHER_DIFFERS),
    "in-toto": (_in_toto, lambda case: case["file"].endswith(".link"), test_in_toto_links.DIFFERS),
    "slsa": (_slsa, lambda case: True, test_slsa.DIFFERS),
    "sigstore": (_sigstore, lambda case: True, test_sigstore.DIFFERS),
    "model-signing": (_model, lambda case: "payloads/" not in case["file"], {}),
}
"""Family: who answers, which cases, and the reasons of differences by file."""


def rows() -> Iterator[tuple[str, str, str, str, str, str]]:
    """One for each expectation; a difference without a reason, or the other way round, is an error."""
    for family, (ask, applies, reasons) in FAMILIES.items():
        home = conftest._home() / family
        used = set()
        for case in filter(applies, json.loads((home / "expected.json").read_text())):
            ours, theirs = ask(home, case)
            mine = opinions.VERIFIED if ours == "verified" else opinions.REFUSED
            differs = mine != opinions.expected(case) or theirs not in (mine, opinions.SILENT)
            name = case["file"] + (f", {case['mutate']} altered" if "mutate" in case else "")
            if differs and case["file"] not in reasons:
                raise AssertionError(f"{family}/{name}: {case['expect']}, {ours}, {theirs}: nobody says why")
            if differs:
                used.add(case["file"])
            yield family, name, case["expect"], ours, theirs, reasons[case["file"]] if differs else ""
        assert used == set(reasons), f"{family}: reasons without a difference: {set(reasons) - used}"


def text() -> str:
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows())


if __name__ == "__main__":
    FILE.write_text(text())
