"""A big lineage graph to measure with: some 343,000 nodes and a million edges, always the same.

Each entry is a training run: it makes a model from a parent model and two datasets, on a machine, under one
of some signers. A few base models and datasets are behind very much of it; chains are up to 30 hops long;
one run in five merges further models.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from lineage.graph.backend import GraphEntry
from lineage.graph.model import Claim, ClaimKind, Edge, EdgeType, GraphDelta, NodeKind

ENTRIES = 136_000
BASES = 20
DATASETS = 400
MACHINES = 500
SIGNERS = 12
LONGEST = 14  # generations; each is two hops


@dataclass
class Dag:
    """`models` in order of making, `generation` by model: how many parents are above it."""

    entries_wanted: int = ENTRIES
    seed: int = 1
    models: list[str] = field(default_factory=list)
    generation: dict[str, int] = field(default_factory=dict)
    nodes: int = 0
    edges: int = 0

    def entries(self) -> Iterator[GraphEntry]:
        random = Random(self.seed)
        datasets = [_key("sha256", f"dataset-{n}") for n in range(DATASETS)]
        known: set[str] = set()
        for base in range(BASES):
            self._add_model(_key("sha256", f"base-{base}"), 0)
        for index in range(self.entries_wanted):
            delta = self._run(index, random, datasets)
            self.nodes += sum(key not in known for key in delta.nodes)
            known.update(delta.nodes)
            self.edges += len(delta.edges)
            yield GraphEntry(index, "signed", ((_signer(index), delta),))

    def _add_model(self, key: str, generation: int) -> None:
        self.models.append(key)
        self.generation[key] = generation

    def _parent(self, random: Random) -> str:
        """A base model, the first of them most often, or something made lately that is not too deep."""
        if random.random() < 0.12:
            return self.models[min(int(random.expovariate(0.8)), BASES - 1)]
        recent = self.models[-1 - min(int(random.expovariate(1 / 400)), len(self.models) - 1)]
        return recent if self.generation[recent] < LONGEST else self.models[random.randrange(BASES)]

    def _run(self, index: int, random: Random, datasets: list[str]) -> GraphDelta:
        run, model = _key("run", f"run-{index}"), _key("sha256", f"model-{index}")
        parents = [self._parent(random)]
        if random.random() < 0.2:
            parents += [self._parent(random) for _ in range(2)]
        if random.random() < 0.45:
            datasets.append(_key("sha256", f"dataset-{len(datasets)}"))
        inputs = {
            datasets[min(int(random.expovariate(1 / 30)), len(datasets) - 1)],
            datasets[-1 - min(int(random.expovariate(1 / 200)), len(datasets) - 1)],
        }
        self._add_model(model, 1 + max(self.generation[p] for p in parents))
        machine, signer = _key("hw", f"machine-{random.randrange(MACHINES)}"), _signer(index)
        return _delta(run, model, tuple(dict.fromkeys(parents)), tuple(sorted(inputs)), machine, signer)


def _delta(
    run: str, model: str, parents: tuple[str, ...], inputs: tuple[str, ...], machine: str, signer: str
) -> GraphDelta:
    kinds = {run: NodeKind.RUN, model: NodeKind.ARTIFACT, machine: NodeKind.HARDWARE, signer: NodeKind.SIGNER}
    kinds |= dict.fromkeys((*parents, *inputs), NodeKind.ARTIFACT)
    return GraphDelta(
        nodes=kinds,
        edges=(
            Edge(model, EdgeType.WAS_GENERATED_BY, run),
            *(Edge(model, EdgeType.WAS_DERIVED_FROM, parent) for parent in parents),
            *(Edge(run, EdgeType.USED, used) for used in (*parents, *inputs)),
            Edge(run, EdgeType.WAS_ASSOCIATED_WITH, machine),
            Edge(model, EdgeType.WAS_ATTRIBUTED_TO, signer),
        ),
        claims=(
            Claim(model, ClaimKind.NAME, f"team/model-{model[7:15]}"),
            Claim(model, ClaimKind.ROLE, "model"),
            Claim(model, ClaimKind.ATTESTED, "urn:lineage:predicate:training-run:v1"),
            Claim(run, ClaimKind.ACTIVITY, "training"),
            *(Claim(used, ClaimKind.ROLE, "dataset") for used in inputs),
        ),
    )


def _key(scheme: str, name: str) -> str:
    return f"{scheme}:{hashlib.sha256(name.encode()).hexdigest()}"


def _signer(index: int) -> str:
    return _key("key", f"signer-{index % SIGNERS}")
