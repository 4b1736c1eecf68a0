"""Exports: each format holds what is believed and why, is valid by others' readers, and is the same twice."""

from __future__ import annotations

import csv
import io
import json
import warnings
from typing import Any

import msgspec
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from lineage.errors import MalformedError
from lineage.services import export_csv, exports
from lineage.services.export_records import (
    NOT_RECORDED,
    Export,
    ExportFact,
    ExportFile,
    ExportGap,
    ExportNode,
)
from lineage.services.lineage_records import EdgeRecord

A, B, C, D, E = ("sha256:" + letter * 64 for letter in "abcde")
FOLDER, GAP, RUN = "dirHash:" + "1" * 64, "uri:" + "2" * 64, "run:" + "3" * 64
MACHINE, SUPPLIER, SIGNER, PLACE = (f"{scheme}:" + "4" * 64 for scheme in ("hw", "supplier", "key", "place"))
NASTY = "=cmd|' /C calc'!A0\u202e<script>alert(1)</script>\n\u0001\ud7ff \"};"


def node(key: str, kind: str = "artifact", *roles: str, **members: Any) -> ExportNode:
    told: dict[str, Any] = {
        "name": f"name of {key[:8]}",
        "status": "unverified",
        "reasons": ("no-attestation",),
        "notes": (),
        "tainted": False,
        "trust": "signed",
        "first_index": 3,
    }
    return ExportNode(key=key, kind=kind, roles=roles, **(told | members))


def edge(source: str, kind: str, target: str, trust: str = "signed") -> EdgeRecord:
    return EdgeRecord(source, target, kind, trust, (5, 7), 5)


def an_export(**changes: Any) -> Export:
    root = node(
        FOLDER,
        "artifact",
        "model",
        name="claims-triage",
        status="verified",
        reasons=(),
        notes=("bytes-not-checked",),
        log_entries=(5, 7),
        facts=(
            ExportFact("version", "2.1", "signed", 5),
            ExportFact("license", "Apache-2.0", "signed", 5),
            ExportFact("Architecture", "transformer", "observed", 6),
            ExportFact("Task", NASTY, "signed", 6),
        ),
    )
    others = (
        node(A, "artifact", "dataset", name=NASTY, facts=(ExportFact("license", NASTY, "signed", 4),)),
        node(B, "artifact", "library"),
        node(C, "artifact", "code", status="failed", reasons=("copy-mismatch",), tainted=True),
        node(D),
        node(E, "artifact", "adapter"),
        node(GAP, "artifact", "dataset", name="https://x/é data", reasons=("uri-only",)),
        node(
            RUN, "run", name="", activity="training", started="2026-01-01T00:00:00.123456Z", trust="observed"
        ),
        node(MACHINE, "hardware"),
        node(SUPPLIER, "supplier", name="Acme"),
        node(SIGNER, "signer"),
        node(PLACE, "place"),
    )
    edges = (
        edge(FOLDER, "WAS_GENERATED_BY", RUN),
        edge(RUN, "USED", A),
        edge(RUN, "USED", GAP, "observed"),
        edge(RUN, "WAS_ASSOCIATED_WITH", MACHINE),
        edge(FOLDER, "WAS_ATTRIBUTED_TO", SUPPLIER),
        edge(FOLDER, "WAS_ATTRIBUTED_TO", SIGNER),
        edge(A, "AT_LOCATION", PLACE),
        edge(FOLDER, "WAS_DERIVED_FROM", E),
        edge(E, "WAS_DERIVED_FROM", B),
        edge(C, "SAME_AS", D),
        edge(A, "WAS_DERIVED_FROM", C, "revoked"),
    )
    gaps = (ExportGap("uri-only", GAP, "Nobody can tell which bytes were meant.", "A statement"),)
    export = Export(
        "lineage-export/v1",
        FOLDER,
        "lineage.example/log",
        12,
        12,
        "2026-03-03T12:00:00.000000Z",
        {"failed": 1, "unverified": 10, "verified": 1},
        (root, *others),
        edges,
        gaps,
        (ExportFile(FOLDER, NASTY, A, "signed", 5), ExportFile(FOLDER, "weights.bin", E, "observed", 6)),
    )
    return msgspec.structs.replace(export, **changes)


def written(name: str, export: Export | None = None) -> bytes:
    return b"".join(exports.find(name).write(export or an_export()))


def parsed(name: str, export: Export | None = None) -> Any:
    return json.loads(written(name, export))


@pytest.mark.parametrize("name", [each.name for each in exports.FORMATS])
def test_the_same_twice_and_whole(name: str) -> None:
    assert written(name) == written(name)
    text = written(name).decode()
    for key in (FOLDER, A, GAP, RUN):
        assert key in text
    for word in ("verified", "copy-mismatch", "uri-only", "bytes-not-checked", "observed", "revoked", "12"):
        assert word in text, word


def test_an_unknown_format() -> None:
    with pytest.raises(MalformedError, match="no format"):
        exports.find("pdf")


@pytest.mark.parametrize("name", ["cyclonedx", "spdx"])
def test_a_bill_is_about_an_artifact(name: str) -> None:
    with pytest.raises(MalformedError, match="about an artifact"):
        written(name, an_export(nodes=(node(RUN, "run"),), edges=(), gaps=()))


def test_our_json_is_the_export_itself() -> None:
    assert msgspec.json.decode(written("json"), type=Export) == an_export()


def test_a_graph_that_was_behind_says_so() -> None:
    late = an_export(graph_at=9)
    assert "The graph had only 9 of them by then." in late.sentence
    for name in ("prov-json", "cyclonedx", "spdx"):
        assert "only 9 of them" in written(name, late).decode()


def test_csv() -> None:
    header, root, *others = csv.reader(io.StringIO(written("csv").decode(), newline=""))
    assert tuple(header) == export_csv.HEADER
    told = dict(zip(header, root, strict=True))
    assert told["key"] == FOLDER
    assert told["made_from"] == f"{RUN} (signed); {E} (signed)"
    assert (told["tree_size"], told["graph_at"]) == ("12", "12")
    dataset = dict(zip(header, others[0], strict=True))
    assert dataset["name"] == "'" + NASTY
    assert all(not cell.startswith(("=", "+", "-", "@")) for row in (root, *others) for cell in row)


def test_prov_json_by_the_prov_library() -> None:
    from prov.model import ProvDocument

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        document = ProvDocument.deserialize(content=written("prov-json").decode(), format="json")
    records = {str(record.identifier): record for record in document.get_records() if record.identifier}
    assert str(records[A].label) == NASTY
    told = parsed("prov-json")
    assert {name: len(told[name]) for name in told if name != "prefix"} == {
        "entity": 9,
        "activity": 1,
        "agent": 3,
        "used": 2,
        "wasGeneratedBy": 1,
        "wasAssociatedWith": 1,
        "wasAttributedTo": 2,
        "wasDerivedFrom": 2,
        "alternateOf": 1,
        "wasInfluencedBy": 1,
    }
    assert told["entity"][FOLDER]["lineage:note"] == ["bytes-not-checked"]
    assert told["activity"][RUN]["prov:startTime"] == "2026-01-01T00:00:00.123456Z"
    (observed,) = (use for use in told["used"].values() if use["prov:entity"] == GAP)
    assert observed["lineage:trust"] == "observed"
    assert told["entity"]["lineage:export"]["lineage:treeSize"] == 12


def test_cyclonedx_by_its_official_schema() -> None:
    assert JsonStrictValidator(SchemaVersion.V1_7).validate_str(written("cyclonedx").decode()) is None
    told = parsed("cyclonedx")
    main = told["metadata"]["component"]
    assert (main["type"], main["name"], main["version"]) == ("machine-learning-model", "claims-triage", "2.1")
    assert main["supplier"] == {"name": "Acme"}
    assert main["modelCard"]["modelParameters"]["datasets"] == [{"ref": A}, {"ref": GAP}]
    assert main["modelCard"]["considerations"]["technicalLimitations"] == [NOT_RECORDED]
    components = {each["bom-ref"]: each for each in told["components"]}
    assert components[A]["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert "hashes" not in components[GAP]
    assert {"name": "lineage:status", "value": "failed, tainted (copy-mismatch)"} in components[C][
        "properties"
    ]
    assert told["compositions"][0]["aggregate"] == "incomplete"
    (workflow,) = told["formulation"][0]["workflows"]
    assert [(each["resource"]["ref"], each["properties"][0]["value"]) for each in workflow["inputs"]] == [
        (A, "signed, entries 5, 7"),
        (GAP, "observed, entries 5, 7"),
    ]
    assert [each["resource"] for each in workflow["outputs"]] == [{"ref": FOLDER}]
    assert workflow["resourceReferences"] == [{"ref": MACHINE}]
    assert {"ref": FOLDER, "dependsOn": [E]} in told["dependencies"]


def test_the_files_of_a_folder() -> None:
    from spdx_python_model import v3_0_1

    files = parsed("cyclonedx")["metadata"]["component"]["components"]
    assert [(each["name"], each["hashes"][0]["content"]) for each in files] == [
        (NASTY, "a" * 64),
        ("weights.bin", "e" * 64),
    ]
    spdx: Any = v3_0_1
    objects = spdx.SHACLObjectSet()
    spdx.JSONLDDeserializer().deserialize_data(parsed("spdx"), objects)
    (contains,) = (
        each
        for each in objects.foreach_type(spdx.Relationship)
        if str(each.relationshipType).endswith("contains")
    )
    told = {each.name: each.verifiedUsing[0].hashValue for each in objects.foreach_type(spdx.software_File)}
    assert told == {NASTY: "a" * 64, "weights.bin": "e" * 64}
    assert (contains.from_.name, len(contains.to), contains.comment) == ("claims-triage", 2, None)
    cut = an_export(files_cut=True)
    assert "Only the first 2 files are listed." in written("cyclonedx", cut).decode()
    assert "There are more files than are listed here." in written("spdx", cut).decode()
    assert JsonStrictValidator(SchemaVersion.V1_7).validate_str(written("cyclonedx", cut).decode()) is None


def test_what_has_no_gaps_is_not_called_complete() -> None:
    assert parsed("cyclonedx", an_export(gaps=()))["compositions"][0]["aggregate"] == "unknown"


def test_spdx_by_its_own_model() -> None:
    from spdx_python_model import v3_0_1 as spdx

    objects = spdx.SHACLObjectSet()
    spdx.JSONLDDeserializer().deserialize_data(parsed("spdx"), objects)
    assert not objects.missing_ids - {"https://spdx.org/rdf/3.0.1/terms/ExpandedLicensing/NoAssertionLicense"}
    (model,) = (each for each in objects.foreach_type(spdx.ai_AIPackage) if each.name == "claims-triage")
    assert model.software_packageVersion == "2.1"
    assert model.ai_limitation == NOT_RECORDED
    assert len(list(objects.foreach_type(spdx.build_Build))) == 1
    trained = [
        each
        for each in objects.foreach_type(spdx.Relationship)
        if str(each.relationshipType).endswith("trainedOn")
    ]
    assert [len(each.to) for each in trained] == [2]
    document = next(iter(objects.foreach_type(spdx.SpdxDocument)))
    assert "with the first 12 entries" in (document.comment or "")
    statements = [each.statement for each in objects.foreach_type(spdx.Annotation)]
    assert "failed, tainted (copy-mismatch) Trust: signed. No entry of the log is about it." in statements


def test_ids_of_a_bill_are_its_own() -> None:
    ids = [each["spdxId"] for each in parsed("spdx")["@graph"] if "spdxId" in each]
    assert len(set(ids)) == len(ids)
    earlier = parsed("cyclonedx", an_export(tree_size=11, graph_at=11))
    assert earlier["serialNumber"] != parsed("cyclonedx")["serialNumber"]


def test_file_names_hold_nothing_of_others() -> None:
    assert exports.file_name(an_export(), exports.find("cyclonedx")) == f"lineage-{'1' * 12}-at-12.cdx.json"


def test_what_only_revoked_signers_say_is_no_relation_in_the_words_of_a_standard() -> None:
    told = f"WAS_DERIVED_FROM {C}, entries 5, 7"
    assert parsed("prov-json")["entity"][A]["lineage:revoked"] == [told]
    assert {"ref": A} in parsed("cyclonedx")["dependencies"]
    spdx = parsed("spdx")["@graph"]
    assert not [
        each for each in spdx if each.get("from") == f"urn:lineage:node:{A}" and "descendant" in str(each)
    ]
    assert any(each.get("statement") == f"Said by revoked signers alone: {told}." for each in spdx)
