"""A bank's model with everything behind it, as signed statements: some thousand nodes, always the same.

Suppliers' datasets are prepared, models are trained of them on machines, and one model is merged of all of
these, quantised and deployed. Owns: the statements. Does not own: keys, sending, or what becomes of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

PREFIX = "urn:lineage:predicate:"
BUILDER = "https://ci.bank.example/pipelines"
STORE = "file:///srv/models"
DAY = timedelta(days=1)
ROOT = "credit-risk-7b-3.2.safetensors"
USES = ("retail", "mortgages", "leasing", "corporate", "insurance", "cards")

_TOPICS = (
    "loan-applications",
    "payment-history",
    "income-statements",
    "sanctions",
    "land-register",
    "tax-returns",
)
_NAMES = ("Nordwind", "Helvetia", "Rheingold", "Atlas", "Meridian", "Kaskade", "Polaris", "Ostsee")
_TRADES = (
    "Daten GmbH",
    "Analytics AG",
    "Register SE",
    "Credit Bureau",
    "Research Ltd",
    "Archive BV",
    "Data SA",
)
_PLACES = (("Frankfurt FRA2", "DE"), ("Paris PAR1", "FR"), ("Zurich ZRH1", "CH"))


@dataclass
class SupplyChain:
    """About `nodes` nodes are behind `root`, and some came of it.

    `now`: no statement claims a later time. `bad` is a dataset that an officer might designate.
    """

    nodes: int
    now: datetime
    seed: int = 7
    _random: Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)

    @property
    def root(self) -> str:
        return f"sha256:{_digest(ROOT)}"

    @property
    def bad(self) -> str:
        return f"sha256:{_digest(self._source(3))}"

    def statements(self) -> Iterator[dict[str, Any]]:
        """In the order in which they would be sent."""
        share = self.nodes // 100
        sources = [self._source(n) for n in range(24 * share)]
        machines = [f"fra2-gpu-{n:03}" for n in range(6 * share)]
        yield from map(self._machine, machines[: len(machines) * 9 // 10])
        # One in thirty is only named by a run: nobody signed what it is.
        yield from (self._dataset(name, n) for n, name in enumerate(sources) if n % 30 != 11)
        prepared = [f"{name.rpartition('.')[0]}-prepared.parquet" for name in sources[: 21 * share]]
        for name, source in zip(prepared, sources, strict=False):
            used = [source, *self._random.sample(sources, 2)]
            yield self._run("preparation", name, "dataset", used, self._random.choice(machines))
        models = [f"credit-risk-expert-{n:03}.safetensors" for n in range(11 * share)]
        for n, name in enumerate(models):
            used = [
                prepared[n % len(prepared)],
                *self._random.sample(prepared, 2),
                f"train-{n % (3 * share)}.py",
            ]
            used += [self._random.choice(models[:n])] if n > 9 else []
            yield self._run("training", name, "model", used, machines[n % len(machines)])
        yield self._run("merging", ROOT, "model", [*models, *prepared], machines[0])
        yield self._model(ROOT, "credit-risk-7b", "3.2")
        yield from self._after(machines)
        yield from self._checks([*sources, *models, *prepared, ROOT, *map(_branch, USES)])

    def _source(self, number: int) -> str:
        return f"{_TOPICS[number % len(_TOPICS)]}-{2015 + number // 6 % 11}-{number // 66:02}.parquet"

    def _dataset(self, name: str, number: int) -> dict[str, Any]:
        place, jurisdiction = _PLACES[number % len(_PLACES)]
        supplier = f"{_NAMES[number % 8]} {_TRADES[number // 8 % 7]}"
        predicate = {
            "name": name,
            "license": "LicenseRef-Bank-Internal",
            "supplier": {"name": supplier},
            "place": {"name": place, "jurisdiction": jurisdiction},
            "personalData": "pseudonymised",
        }
        return _statement("dataset", [_artifact(name, downloadLocation=f"{STORE}/{name}")], predicate)

    def _machine(self, name: str) -> dict[str, Any]:
        predicate = {
            "vendor": "Supermicro",
            "model": "8 x NVIDIA H100",
            "location": {"name": "Frankfurt FRA2", "jurisdiction": "DE"},
            "supplier": {"name": "Rheinrechner GmbH"},
        }
        return _statement("hardware-node", [_artifact(name)], predicate)

    def _run(
        self, activity: str, output: str, role: str, inputs: Sequence[str], machine: str
    ) -> dict[str, Any]:
        number = _digest(output)[:8]
        begin = self.now - DAY * self._random.randint(2, 200)
        predicate = {
            "builder": {"id": f"{BUILDER}/{activity}"},
            "invocationId": f"{BUILDER}/{activity}/runs/{number}",
            "name": f"{activity} {output.rpartition('.')[0]}",
            "activity": activity,
            "startedOn": _text(begin),
            "finishedOn": _text(begin + timedelta(hours=5)),
            "inputs": [_artifact(name, role=_role(name)) for name in inputs],
            "outputs": [{"name": output, "role": role}],
            "hardware": [_artifact(machine)],
        }
        return _statement(
            "training-run", [_artifact(output, downloadLocation=f"{STORE}/{output}")], predicate
        )

    def _model(self, output: str, name: str, version: str) -> dict[str, Any]:
        predicate = {"name": name, "version": version, "task": "text-classification"}
        return _statement("model", [_artifact(output)], predicate)

    def _after(self, machines: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Quantised and fine-tuned for branches, and put to use: what the root affects."""
        place = {"name": "Frankfurt FRA2", "jurisdiction": "DE"}
        for n, use in enumerate(USES):
            name = _branch(use)
            yield self._run("quantization" if n % 2 else "fine-tuning", name, "model", [ROOT], machines[n])
            since = self.now - DAY * (n + 1)
            predicate: dict[str, Any] = {
                "name": f"credit-risk-{use}", "environment": "production", "location": place,
                "deployedOn": _text(since),
            }  # fmt: skip
            if n == 3:
                predicate["retiredOn"] = _text(since + timedelta(hours=6))
            yield _statement("deployment", [_artifact(name)], predicate)

    def _checks(self, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Nearly all copies matched yesterday; one in forty long ago, one in sixty was found altered."""
        for start in range(0, len(names), 500):
            rows = [self._row(name, start + n) for n, name in enumerate(names[start : start + 500])]
            subjects = [{"digest": {"sha256": row["digest"].removeprefix("sha256:")}} for row in rows]
            yield _statement("check", subjects, {"rows": rows})

    def _row(self, name: str, number: int) -> dict[str, str]:
        bad, old = number % 60 == 17, number % 40 == 23
        return {
            "digest": f"sha256:{_digest(name)}",
            "location": f"{STORE}/{name}",
            "method": "sha256",
            "observed": f"sha256:{_digest('altered ' + name if bad else name)}",
            "outcome": "mismatch" if bad else "match",
            "at": _text(self.now - DAY * (400 if old else 1)),
        }


def _branch(use: str) -> str:
    return f"credit-risk-{use}-3.2.gguf"


def _role(name: str) -> str:
    return "code" if name.endswith(".py") else "model" if name.endswith(".safetensors") else "dataset"


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _artifact(name: str, **more: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": _digest(name)}} | more


def _statement(kind: str, subjects: Sequence[dict[str, Any]], predicate: dict[str, Any]) -> dict[str, Any]:
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": list(subjects),
        "predicateType": f"{PREFIX}{kind}:v1",
        "predicate": predicate,
    }


def _text(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
