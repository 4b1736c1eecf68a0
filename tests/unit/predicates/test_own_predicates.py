"""Our own predicates: exactly which graph each makes."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from lineage import predicates
from lineage.errors import MalformedError
from lineage.graph.model import deployment_key, place_key, run_key, supplier_key, uri_key
from tests.unit.predicates.making import (
    KEY,
    OURS,
    SIGNER,
    A,
    B,
    C,
    D,
    claims,
    edges,
    kinds,
    ours,
    projected,
    sha,
)

SUBJECT_KEY = f"sha256:{A}"
ATTRIBUTED = (SUBJECT_KEY, "WAS_ATTRIBUTED_TO", KEY)


def test_dataset() -> None:
    delta = projected(
        ours(
            "dataset",
            {
                "name": "Claims",
                "version": "3",
                "license": "CC-BY-4.0",
                "description": "Closed claims",
                "supplier": {"name": "Acme"},
                "sources": [{"name": "raw.csv", "digest": {"sha256": B}}, {"uri": "https://x.example/dump"}],
                "place": {"name": "FRA2", "jurisdiction": "DE"},
                "recordCount": 1284403,
                "personalData": "none",
                "legalBasis": "none needed",
                "collectedFrom": "2019-01-01",
                "collectedUntil": "2025-12-31",
                "languages": ["de", "en"],
                "somethingNew": {"ignored": True},
            },
        )
    )
    source, dump = f"sha256:{B}", uri_key("https://x.example/dump")
    site, country, acme = place_key("FRA2"), place_key("DE"), supplier_key("Acme")
    assert kinds(delta) == {
        KEY: "signer", SUBJECT_KEY: "artifact", source: "artifact", dump: "artifact",
        acme: "supplier", site: "place", country: "place",
    }  # fmt: skip
    assert edges(delta) == sorted(
        [
            ATTRIBUTED,
            (SUBJECT_KEY, "WAS_ATTRIBUTED_TO", acme),
            (SUBJECT_KEY, "AT_LOCATION", site),
            (SUBJECT_KEY, "AT_LOCATION", country),
            (site, "AT_LOCATION", country),
            (SUBJECT_KEY, "WAS_DERIVED_FROM", source),
            (SUBJECT_KEY, "WAS_DERIVED_FROM", dump),
        ]
    )
    assert claims(delta) == sorted(
        [
            (SUBJECT_KEY, "attested", f"{OURS}dataset:v1"),
            (SUBJECT_KEY, "name", "a.bin"),
            (SUBJECT_KEY, "name", "Claims"),
            (SUBJECT_KEY, "role", "dataset"),
            (SUBJECT_KEY, "version", "3"),
            (SUBJECT_KEY, "license", "CC-BY-4.0"),
            (SUBJECT_KEY, "detail", "Description: Closed claims"),
            (SUBJECT_KEY, "detail", "Records: 1,284,403"),
            (SUBJECT_KEY, "detail", "Personal data: none"),
            (SUBJECT_KEY, "detail", "Legal basis: none needed"),
            (SUBJECT_KEY, "detail", "Collected from: 2019-01-01"),
            (SUBJECT_KEY, "detail", "Collected until: 2025-12-31"),
            (SUBJECT_KEY, "detail", "Languages: de, en"),
            (source, "name", "raw.csv"),
            (source, "role", "dataset"),
            (dump, "name", "https://x.example/dump"),
            (dump, "location", "https://x.example/dump"),
            (dump, "role", "dataset"),
            (acme, "name", "Acme"),
            (site, "name", "FRA2"),
            (site, "detail", "Jurisdiction: DE"),
            (country, "name", "DE"),
        ]
    )
    assert delta.builders == frozenset()
    assert delta.checks == ()


def test_model_and_adapter() -> None:
    delta = projected(
        ours(
            "model",
            {
                "name": "Triage",
                "version": "2",
                "role": "adapter",
                "license": "MIT",
                "architecture": "Mistral",
                "task": "text-classification",
                "parameterCount": 7248023552,
                "supplier": {"name": "Acme"},
                "baseModels": [{"name": "base", "digest": {"sha256": B}}],
                "datasets": [{"name": "data", "digest": {"sha256": C}}],
            },
        )
    )
    base, data, acme = f"sha256:{B}", f"sha256:{C}", supplier_key("Acme")
    assert kinds(delta) == {
        KEY: "signer", SUBJECT_KEY: "artifact", base: "artifact", data: "artifact", acme: "supplier",
    }  # fmt: skip
    assert edges(delta) == sorted(
        [
            ATTRIBUTED,
            (SUBJECT_KEY, "WAS_ATTRIBUTED_TO", acme),
            (SUBJECT_KEY, "WAS_DERIVED_FROM", base),
            (SUBJECT_KEY, "WAS_DERIVED_FROM", data),
        ]
    )
    assert claims(delta) == sorted(
        [
            (SUBJECT_KEY, "attested", f"{OURS}model:v1"),
            (SUBJECT_KEY, "name", "a.bin"),
            (SUBJECT_KEY, "name", "Triage"),
            (SUBJECT_KEY, "role", "adapter"),
            (SUBJECT_KEY, "version", "2"),
            (SUBJECT_KEY, "license", "MIT"),
            (SUBJECT_KEY, "detail", "Architecture: Mistral"),
            (SUBJECT_KEY, "detail", "Task: text-classification"),
            (SUBJECT_KEY, "detail", "Parameters: 7,248,023,552"),
            (base, "name", "base"),
            (base, "role", "model"),
            (data, "name", "data"),
            (data, "role", "dataset"),
            (acme, "name", "Acme"),
        ]
    )


def test_training_run() -> None:
    told = ours(
        "training-run",
        {
            "builder": {"id": "https://ci.example/p"},
            "invocationId": "run/7",
            "name": "Nightly 7",
            "activity": "fine-tuning",
            "description": "LoRA",
            "startedOn": "2026-03-02T08:15:00+01:00",
            "finishedOn": "2026-03-02T11:42:37.25Z",
            "inputs": [
                {"name": "data", "digest": {"sha256": C}, "role": "dataset"},
                {"uri": "git+https://git.example/r@main", "digest": {"gitCommit": "AB" * 20}},
            ],
            "outputs": [{"name": "b.html", "role": "report"}, {"digest": {"sha256": A}, "role": "model"}],
            "hardware": [{"name": "gpu-1", "digest": {"sha256": D}}, {"name": "a rented GPU"}],
            "parameters": {"lr": 0.1},
        },
        {"name": "a.bin", "digest": {"sha256": A}},
        {"name": "b.html", "digest": {"sha256": B}},
    )
    delta = projected(told)
    run, report, data, machine = (
        run_key("https://ci.example/p", "run/7", ""),
        f"sha256:{B}",
        f"sha256:{C}",
        f"hw:{D}",
    )
    code = uri_key("git+https://git.example/r@main")
    assert kinds(delta) == {
        KEY: "signer", SUBJECT_KEY: "artifact", report: "artifact", run: "run",
        data: "artifact", code: "artifact", machine: "hardware",
    }  # fmt: skip
    assert edges(delta) == sorted(
        [
            ATTRIBUTED,
            (report, "WAS_ATTRIBUTED_TO", KEY),
            (SUBJECT_KEY, "WAS_GENERATED_BY", run),
            (report, "WAS_GENERATED_BY", run),
            (run, "USED", data),
            (run, "USED", code),
            (run, "WAS_ASSOCIATED_WITH", machine),
        ]
    )
    assert claims(delta) == sorted(
        [
            (SUBJECT_KEY, "attested", f"{OURS}training-run:v1"),
            (SUBJECT_KEY, "name", "a.bin"),
            (SUBJECT_KEY, "role", "model"),
            (report, "attested", f"{OURS}training-run:v1"),
            (report, "name", "b.html"),
            (report, "role", "report"),
            (run, "attested", f"{OURS}training-run:v1"),
            (run, "name", "Nightly 7"),
            (run, "activity", "fine-tuning"),
            (run, "started", "2026-03-02T07:15:00.000000Z"),
            (run, "ended", "2026-03-02T11:42:37.250000Z"),
            (run, "detail", "Builder: https://ci.example/p"),
            (run, "detail", "Invocation: run/7"),
            (run, "detail", "Description: LoRA"),
            (run, "detail", "Hardware without identity: a rented GPU"),
            (data, "name", "data"),
            (data, "role", "dataset"),
            (code, "name", "git+https://git.example/r@main"),
            (code, "fingerprint", f"gitCommit:{'ab' * 20}"),
            (machine, "name", "gpu-1"),
        ]
    )
    assert delta.builders == {"https://ci.example/p"}


def test_a_run_without_invocation_id_is_known_by_its_statement() -> None:
    told = ours("training-run", {"builder": {"id": "b"}, "activity": "training"})
    assert f"run:{told.digest}" in projected(told).nodes


def test_hardware_node_is_a_machine_and_no_artifact() -> None:
    delta = projected(
        ours(
            "hardware-node",
            {
                "vendor": "Supermicro",
                "model": "SYS-821",
                "serial": "S1",
                "location": {"jurisdiction": "DE"},
                "supplier": {"name": "Acme"},
            },
            {"name": "gpu-1", "digest": {"sha256": A, "sha512": sha("x") * 2}},
        )
    )
    machine, country, acme = f"hw:{A}", place_key("DE"), supplier_key("Acme")
    assert kinds(delta) == {KEY: "signer", machine: "hardware", country: "place", acme: "supplier"}
    assert edges(delta) == sorted(
        [
            (machine, "WAS_ATTRIBUTED_TO", KEY),
            (machine, "WAS_ATTRIBUTED_TO", acme),
            (machine, "AT_LOCATION", country),
        ]
    )
    assert claims(delta) == sorted(
        [
            (machine, "attested", f"{OURS}hardware-node:v1"),
            (machine, "name", "gpu-1"),
            (machine, "detail", "Vendor: Supermicro"),
            (machine, "detail", "Model: SYS-821"),
            (machine, "detail", "Serial number: S1"),
            (country, "name", "DE"),
            (acme, "name", "Acme"),
        ]
    )


def test_deployment() -> None:
    delta = projected(
        ours(
            "deployment",
            {
                "name": "prod/2",
                "environment": "production",
                "endpoint": "https://api.example",
                "deployedOn": "2026-03-09T06:00:00+01:00",
                "retiredOn": "2026-04-09T06:00:00Z",
                "location": {"name": "FRA2"},
                "hardware": [{"name": "gpu-1", "digest": {"sha256": D}}],
            },
        )
    )
    deployment, machine, site = deployment_key(SIGNER, "prod/2"), f"hw:{D}", place_key("FRA2")
    assert kinds(delta) == {
        KEY: "signer", SUBJECT_KEY: "artifact", deployment: "deployment", machine: "hardware", site: "place",
    }  # fmt: skip
    assert edges(delta) == sorted(
        [
            (deployment, "WAS_ATTRIBUTED_TO", KEY),
            (deployment, "USED", SUBJECT_KEY),
            (deployment, "WAS_ASSOCIATED_WITH", machine),
            (deployment, "AT_LOCATION", site),
        ]
    )
    assert claims(delta) == sorted(
        [
            (SUBJECT_KEY, "name", "a.bin"),
            (deployment, "attested", f"{OURS}deployment:v1"),
            (deployment, "name", "prod/2"),
            (deployment, "started", "2026-03-09T05:00:00.000000Z"),
            (deployment, "ended", "2026-04-09T06:00:00.000000Z"),
            (deployment, "detail", "Environment: production"),
            (deployment, "detail", "Endpoint: https://api.example"),
            (machine, "name", "gpu-1"),
            (site, "name", "FRA2"),
        ]
    )


@pytest.mark.parametrize("member", ["parameters", "metrics"])
@pytest.mark.parametrize(
    ("value", "says"), [([], "array"), ("{}", "str"), (None, "null"), (1, "int"), (True, "bool")]
)
def test_parameters_and_metrics_are_objects(member: str, value: object, says: str) -> None:
    told = ours("training-run", {"builder": {"id": "b"}, "activity": "training", member: value})
    for read in (projected, predicates.describe):
        with pytest.raises(MalformedError, match=f"^Expected `object`, got `{says}`") as caught:
            read(told)
        assert caught.value.where == f"$.predicate.{member}"


def test_parameters_are_shown_as_they_were_signed() -> None:
    long = "1" * 5_000  # Python converts no number of more than 4,300 digits
    told = ours("training-run", {"builder": {"id": "b"}, "activity": "training", "parameters": {"a": "@"}})
    signed = replace(
        told, predicate=told.predicate.replace(b'"@"', long.encode() + b', "b": "\\u00e9", "c": [1]')
    )
    assert ("Parameters", f"a = {long}; b = é; c = [1]") in predicates.describe(signed)
