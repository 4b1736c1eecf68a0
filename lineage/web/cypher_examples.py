"""Questions that the Cypher page offers to begin with. Each works on any graph of ours, also an empty one.

`Node` has `key`, `kind`, `name`, `first` (the log index that first named it) and `roles`; relationships point
from effect to cause and have `first`, and `indexes`, `signers`, `trusts` of the entries that say so.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """`parameters` is JSON text, as in the page's field."""

    slug: str
    title: str
    query: str
    parameters: str = "{}"


EXAMPLES = (
    Example(
        "made-models",
        "Who made each model",
        "MATCH (m:Model)-[made:WAS_GENERATED_BY]->(run:TrainingRun)\n"
        "OPTIONAL MATCH (run)-[:WAS_ASSOCIATED_WITH]->(machine:HardwareNode)\n"
        "RETURN m.name AS model, m.key, run.key, machine.name AS machine,\n"
        "       made.signers AS signers, made.trusts AS trust\n"
        "ORDER BY made.first DESC",
    ),
    Example(
        "most-used-datasets",
        "The most used datasets",
        "MATCH (d:Dataset)<-[:USED]-(run:TrainingRun)\n"
        "RETURN d.name AS dataset, d.key, count(DISTINCT run) AS runs\n"
        "ORDER BY runs DESC, dataset LIMIT 25",
    ),
    Example(
        "runs-per-machine",
        "Runs on each machine, and where it stands",
        "MATCH (machine:HardwareNode)\n"
        "OPTIONAL MATCH (machine)-[:AT_LOCATION]->(place:Jurisdiction)\n"
        "RETURN machine.name AS machine, machine.key, place.name AS place,\n"
        "       COUNT { (machine)<-[:WAS_ASSOCIATED_WITH]-(:TrainingRun) } AS runs\n"
        "ORDER BY runs DESC",
    ),
    Example(
        "contested-origins",
        "Artifacts that several runs are said to have made",
        "MATCH (a:Artifact)-[made:WAS_GENERATED_BY]->(run:TrainingRun)\n"
        "WITH a, collect({run: run.key, signers: made.signers, trust: made.trusts}) AS origins\n"
        "WHERE size(origins) > 1\n"
        "RETURN a.name AS artifact, a.key, origins",
    ),
    Example(
        "made-from-name",
        "What was made from something, by a part of its name",
        "MATCH (source:Artifact) WHERE source.name CONTAINS $name\n"
        "MATCH (made:Model|Deployment)-[:USED|WAS_GENERATED_BY|WAS_DERIVED_FROM*1..10]->(source)\n"
        "RETURN DISTINCT source.name AS source, made.name AS made, made.key, made.kind AS kind\n"
        "LIMIT 100",
        '{"name": "claims"}',
    ),
    Example(
        "one-signer",
        "Models whose making only one key vouches for",
        "MATCH (m:Model)-[made:WAS_GENERATED_BY]->(run)\n"
        "UNWIND made.signers AS signer\n"
        "WITH m, collect(DISTINCT signer) AS signers WHERE size(signers) = 1\n"
        "RETURN m.name AS model, m.key, signers[0] AS signer",
    ),
    Example(
        "paths",
        "Paths from models to datasets",
        "MATCH p = (m:Model)-[:USED|WAS_GENERATED_BY|WAS_DERIVED_FROM*1..5]->(d:Dataset)\n"
        "RETURN p, length(p) AS edges ORDER BY edges LIMIT 25",
    ),
    Example(
        "vocabulary",
        "How many nodes of each kind",
        "MATCH (n:Node)\nRETURN n.kind AS kind, count(*) AS nodes, min(n.first) AS first_entry\n"
        "ORDER BY nodes DESC",
    ),
)
BY_SLUG = {example.slug: example for example in EXAMPLES}
