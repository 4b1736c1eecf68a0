"""Mutated files: each parser answers, or raises what it may, in bounded memory.

Pickles are only walked here: examining one starts a process, which test_pickles does.
"""

from __future__ import annotations

import contextlib
import io
import tarfile
import tempfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineage.artifacts.formats import (
    FORMATS,
    Description,
    by_name,
    from_json,
    gguf_manifest,
    pickles,
    recognised,
    to_json,
)
from lineage.artifacts.formats.pickle_scan import Candidate, Judged
from lineage.artifacts.reading import MemoryBytes
from lineage.artifacts.signed_manifest import read
from lineage.errors import InconclusiveError, MalformedError, TooLargeError
from tests.unit.artifacts.formats.test_damage import ORIGINALS

MAY_RAISE = (MalformedError, InconclusiveError, TooLargeError)
MEMORY_BYTES = 64 << 20


def _originals() -> dict[str, tuple[str, str, bytes]]:
    with tempfile.TemporaryDirectory() as folder:
        made = {kind: (name, make(Path(folder))) for kind, (name, make) in ORIGINALS.items()}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("data.pkl"), io.BytesIO())
    made["tar"] = ("m.tar", out.getvalue())
    deflated = io.BytesIO()
    with zipfile.ZipFile(deflated, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(zipfile.ZipInfo("a/data.pkl"), made["pickle"][1], zipfile.ZIP_DEFLATED)
    made["deflated"] = ("m.zip", deflated.getvalue())
    forms = {"torch": "pickle", "tar": "pickle", "deflated": "pickle"}
    return {kind: (forms.get(kind, kind), name, content) for kind, (name, content) in made.items()}


FILES = _originals()


def _unexamined(candidates: list[Candidate]) -> list[Judged]:
    return [Judged(one.where, (), (), True) for one in candidates]


@st.composite
def mutated(draw: st.DrawFn, content: bytes) -> bytes:
    """The bytes with some of them changed, left out or doubled, mostly near the start where headers are."""
    altered = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        near = draw(st.booleans())
        at = draw(st.integers(0, max(min(len(altered), 256) if near else len(altered), 1) - 1))
        kind = draw(st.sampled_from(["byte", "number", "cut", "double"]))
        if kind == "byte":
            altered[at : at + 1] = bytes([draw(st.integers(0, 255))])
        elif kind == "number":
            size = draw(st.sampled_from([1, 4, 8]))
            value = draw(st.sampled_from([0, 1, (1 << 8 * size) - 1, 1 << (8 * size - 1)]))
            altered[at : at + size] = value.to_bytes(size, "little")
        elif kind == "cut":
            del altered[at : at + draw(st.integers(1, 64))]
        else:
            altered[at:at] = altered[at : at + draw(st.integers(1, 64))]
    return bytes(altered)


def _bounded(work: Callable[[], object]) -> None:
    tracemalloc.start()
    try:
        with contextlib.suppress(*MAY_RAISE):
            work()
        assert tracemalloc.get_traced_memory()[1] < MEMORY_BYTES
    finally:
        tracemalloc.stop()


def _describe(form_name: str, content: bytes, name: str) -> None:
    recognised(MemoryBytes(content), name)
    form = by_name(form_name)
    assert form is not None
    found = form.describe(MemoryBytes(content), name, None)
    assert from_json(to_json(found)) == found


@pytest.mark.parametrize("kind", FILES)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_mutated_file(kind: str, data: st.DataObject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "judge", _unexamined)
    form, name, content = FILES[kind]
    altered = data.draw(mutated(content))
    _bounded(lambda: _describe(form, altered, name))


@pytest.mark.parametrize("form", [form.name for form in FORMATS])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300))
def test_any_bytes(form: str, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "judge", _unexamined)
    _bounded(lambda: _describe(form, content, f"x.{form}"))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_mutated_manifests(data: st.DataObject) -> None:
    lines = (
        b"sha256    " + b"0" * 64 + b"  m.gguf:a\nuuid      14d5abc5-9c6a-5600-9589-0c8e3e69bbf8  m.gguf\n"
    )
    _bounded(lambda: gguf_manifest.read(data.draw(mutated(lines))))
    statement = (
        b'{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":'
        b'"https://model_signing/signature/v1.0","predicate":{"resources":[]}}'
    )
    _bounded(lambda: read(data.draw(mutated(statement))))
    described = to_json(Description("gguf", {"a": "b"}, (), {"c": "d"}))
    _bounded(lambda: from_json(data.draw(mutated(described))))
