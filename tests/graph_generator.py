"""A large graph of the shape that real ones have: skewed hubs, long chains, a thousand labs.

Deterministic by its seed. A step is one training run with its model; it uses a parent model (often one of
a few base models, otherwise the newest of its chain), two datasets (skewed too) and a code archive.
"""

from __future__ import annotations

import hashlib
import random

from tests.graph_rows import FOREVER_US, START_US, GraphRows

WEEK_US = 7 * 86_400 * 1_000_000
CHAIN = 30
"""Steps of a chain before it starts again from a base model."""

MERGE = 0.12
"""Share of the steps that also use the newest model of another chain: so closures grow to thousands."""


def key(scheme: str, *parts: object) -> str:
    return f"{scheme}:{hashlib.sha256(repr(parts).encode()).hexdigest()}"


def generate(
    steps: int, *, seed: int = 7, bases: int = 5, machines: int = 50, signers: int = 20
) -> GraphRows:
    """About 2.6 nodes, 9 edges and 12 claims a step; entry `i` + 1 is step `i`."""
    rng = random.Random(seed)
    rows = GraphRows()
    keys = [key("key", i) for i in range(signers)]
    hardware = [key("hw", i) for i in range(machines)]
    for name in keys:
        rows.node(name, "signer", 0)
        rows.claim(name, "name", f"pipeline {name[4:8]}", 0)
        rows.status(name, "verified")
    place = key("place", "Kyiv")
    rows.node(place, "place", 0)
    rows.status(place, "verified")
    for name in hardware:
        rows.node(name, "hardware", 0)
        rows.edge(name, "AT_LOCATION", place, 0)
        rows.status(name, "unverified", "no-evidence")
    models = [key("sha256", "base", i) for i in range(bases)]
    for name in models:
        rows.node(name, "artifact", 0)
        rows.claim(name, "role", "model", 0)
        rows.claim(name, "name", f"base-{name[7:11]}", 0)
        rows.status(name, "unverified", "no-attestation")
    datasets: list[str] = []
    chains: list[list[str]] = [[rng.choice(models)] for _ in range(max(1, steps // 200))]
    for step in range(steps):
        chain = rng.choice(chains)
        others = [rng.choice(chains)[-1]] if rng.random() < MERGE else []
        _step(
            rows,
            rng,
            step + 1,
            signer=keys[step % signers],
            machine=rng.choice(hardware),
            datasets=datasets,
            chain=chain,
            bases=models,
            others=others,
        )
    return rows


def _step(
    rows: GraphRows,
    rng: random.Random,
    index: int,
    *,
    signer: str,
    machine: str,
    datasets: list[str],
    chain: list[str],
    bases: list[str],
    others: list[str],
) -> None:
    run, model, code = key("run", index), key("sha256", "model", index), key("sha256", "code", index // 3)
    if len(chain) > CHAIN:
        chain[:] = [rng.choice(bases)]
    parent = chain[-1] if rng.random() < 0.9 else rng.choice(bases)
    chain.append(model)
    if index % 2 or len(datasets) < 2:
        datasets.append(key("sha256", "data", index))
    inputs = {datasets[-1], datasets[int(len(datasets) * rng.random() ** 4)]}
    rows.node(run, "run", index)
    rows.node(model, "artifact", index)
    rows.claim(run, "activity", "training", index, signer=signer)
    rows.claim(run, "attested", "test", index, signer=signer)
    rows.claim(model, "attested", "test", index, signer=signer)
    rows.claim(model, "name", f"model-{index:06}", index, signer=signer)
    for used, role in [
        *((model, "model") for model in {parent, *others}),
        (code, "code"),
        *((name, "dataset") for name in sorted(inputs)),
    ]:
        if used not in rows.ids:
            rows.node(used, "artifact", index)
            rows.status(used, "unverified", "no-attestation", index=index)
        rows.claim(used, "name", f"{role}-{used[7:13]}", index, signer=signer)
        rows.claim(used, "role", role, index, signer=signer)
        rows.edge(run, "USED", used, index, signer=signer)
    rows.claim(model, "role", "model", index, signer=signer)
    rows.edge(model, "WAS_GENERATED_BY", run, index, signer=signer)
    rows.edge(model, "WAS_DERIVED_FROM", parent, index, signer=signer)
    rows.edge(run, "WAS_ASSOCIATED_WITH", machine, index, signer=signer)
    rows.edge(model, "WAS_ATTRIBUTED_TO", signer, index, signer=signer)
    rows.status(run, "verified", index=index)
    if index % 10:
        rows.status(model, "verified", index=index)
        return
    at = START_US + index * 1_000_000
    rows.check(model, f"file:///models/{index}.bin", "match" if index % 100 else "mismatch", index, at)
    status = ("verified", "") if index % 100 else ("failed", "copy-mismatch")
    rows.status(model, *status, index=index, until=at + WEEK_US)
    rows.status(model, "expired", "check-overdue", index=index, since=at + WEEK_US, until=FOREVER_US)
