"""`lineage predicates`: what is well said, what is not and where, and what is not known here."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lineage import predicates
from lineage.cli.predicates import command
from lineage.predicates import validation

ROOM = Path(predicates.__file__).parent
EXAMPLES = [each.slug for each in predicates.PREDICATES if each.example]

WITH_SCHEMA = {each.slug for each in predicates.PREDICATES if each.schema}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def example(slug: str) -> dict[str, Any]:
    (found,) = (each for each in predicates.PREDICATES if each.slug == slug)
    document: dict[str, Any] = json.loads((ROOM / "examples" / str(found.example)).read_text())
    return document


def written(folder: Path, document: object, name: str = "statement.json") -> str:
    path = folder / name
    path.write_text(json.dumps(document))
    return str(path)


def test_every_example_is_well_said(tmp_path: Path) -> None:
    files = []
    for slug in EXAMPLES:
        shown = run("show", slug, "--example")
        assert shown.exit_code == 0
        (tmp_path / f"{slug}.json").write_text(shown.stdout)
        files.append(str(tmp_path / f"{slug}.json"))
    found = run("validate", *files)
    assert found.exit_code == 0, found.stdout
    expected = [
        f"{path}: ok, {slug}{'' if slug in WITH_SCHEMA else ' (read, without a schema)'}"
        for path, slug in zip(files, EXAMPLES, strict=True)
    ]
    assert found.stdout.splitlines() == expected


def test_what_is_wrong_is_told_with_its_place(tmp_path: Path) -> None:
    document = example("model")
    document["predicate"]["name"] = 7
    document["predicate"]["languages"] = ["de", 5]
    found = run("validate", written(tmp_path, document), "--json")
    assert found.exit_code == 1
    (told,) = json.loads(found.stdout)
    assert (told["type"], told["valid"], told["schema"]) == ("model", False, True)
    places = {(each["by"], each["where"]) for each in told["problems"]}
    assert {("schema", "$.predicate.name"), ("schema", "$.predicate.languages[1]")} <= places
    assert [each["by"] for each in told["problems"]].count("reader") == 1
    assert "$.predicate.name" in run("validate", str(tmp_path / "statement.json")).stdout


def test_an_envelope_is_opened(tmp_path: Path) -> None:
    payload = base64.b64encode(json.dumps(example("model")).encode()).decode()
    envelope = {
        "payloadType": validation.ATTESTATION,
        "payload": payload,
        "signatures": [{"sig": base64.b64encode(bytes(64)).decode()}],
    }
    found = run("validate", written(tmp_path, envelope))
    assert (found.exit_code, found.stdout.endswith(": ok, model\n")) == (0, True)


def test_an_unknown_type_is_neither_right_nor_wrong(tmp_path: Path) -> None:
    document = example("model") | {"predicateType": "https://example.org/other/v1"}
    path = written(tmp_path, document)
    found = run("validate", path, "--json")
    assert found.exit_code == 2
    assert json.loads(found.stdout)[0]["valid"] is None
    assert "makes no lineage" in run("validate", path).stdout
    wrong = written(tmp_path, example("model") | {"predicate": {}}, "wrong.json")
    assert run("validate", path, wrong).exit_code == 1, "wrong is worse than unknown"


def test_a_predicate_alone(tmp_path: Path) -> None:
    uri = "urn:lineage:predicate:place:v1"
    path = written(tmp_path, {"name": "Frankfurt FRA2", "country": "DE"})
    assert run("validate", path, "--predicate-type", uri).exit_code == 0, "nobody has said its subject yet"
    path = written(tmp_path, {"name": "Frankfurt FRA2"})
    found = run("validate", path, "--predicate-type", uri)
    assert found.exit_code == 1
    assert "country" in found.stdout


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '"a"', "\x00", "[" * 100_000, '{"_type": 1}', '{"payload": "?"}', '{"a":1,"a":2}'],
    ids=["empty", "list", "open", "text", "nul", "deep", "type", "payload", "twice"],
)
def test_rubbish_is_told_as_such(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rubbish.json"
    path.write_text(text)
    for more in ((), ("--predicate-type", "urn:lineage:predicate:model:v1")):
        found = run("validate", str(path), *more)
        assert found.exit_code == 1, (found.stdout, found.exception)
        assert "not well said" in found.stdout


def test_lists(tmp_path: Path) -> None:
    found = json.loads(run("list", "--json").stdout)
    assert [each["slug"] for each in found] == [each.slug for each in predicates.PREDICATES]
    assert "urn:lineage:predicate:model:v1" in run("list").stdout
    assert (
        json.loads(run("show", "model").stdout)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    )
    without = next(each.slug for each in predicates.PREDICATES if each.schema is None)
    assert run("show", without).exit_code == 1
