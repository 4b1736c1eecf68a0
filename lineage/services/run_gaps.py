"""What runs on MLflow should have recorded and have not: the gaps that our collector found, in words.

Owns: which of them still count, and what closes each. Does not own: finding them (`lineage.mlflow.run_gaps`),
gaps that follow from statuses (`gaps`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lineage.graph.sql_moment import Moment
from lineage.predicates.mlflow_observation import builder_id
from lineage.services import observations
from lineage.services.as_of import AsOf

UNCOMMITTED = "uncommitted-code"


@dataclass(frozen=True, slots=True)
class Words:
    """`tag` is what the run can say on MLflow itself; `statement` what a signed one has to say."""

    what: str
    tag: str
    statement: str


WORDS: Mapping[str, Words] = {
    "base-model-unrecorded": Words(
        "The run made a model and does not say which model it started from.",
        "The tag lineage.base_model on the MLflow run: sha256:… or dirHash:… of the base model, or none where"
        " it was trained from scratch",
        "names the base model among its inputs",
    ),
    "base-model-undigested": Words(
        "The run names a base model without a digest of its bytes: nobody can tell which bytes were meant.",
        "The tag lineage.base_model on the MLflow run with sha256:… or dirHash:… of the bytes",
        "names the base model by its digest",
    ),
    "dataset-undigested": Words(
        "A dataset of the run has no SHA-256. MLflow's own digest covers its first rows alone.",
        "The tag lineage.dataset.<name>.sha256 on the MLflow run for each dataset, or a configured folder"
        " from which the data can be read and hashed",
        "names each dataset by its digest",
    ),
    "code-unrecorded": Words(
        "The run does not say which commit of the code it ran.",
        "The tag mlflow.source.git.commit on the MLflow run",
        "names the repository and its commit among its inputs",
    ),
    UNCOMMITTED: Words(
        "The run's code had changes that were not committed: the recorded commit is not what ran.",
        "A new run from a committed tree; nothing said later can show what ran in this one",
        "",
    ),
}
"""By slug of `lineage.mlflow.run_gaps`."""


@dataclass(frozen=True, slots=True)
class Open:
    """One gap of a run that nothing has closed. `builder` is whom a statement has to name to be about it."""

    slug: str
    what: str
    closes: str
    builder: str
    signable: bool


def open_gaps(nodes: Sequence[int], as_of: AsOf, moment: Moment) -> dict[int, tuple[Open, ...]]:
    """By node id, the gaps of the runs among these nodes.

    Where a pipeline that is believed signed the run, its statement counts and not what MLflow was told; but
    nobody's signature commits code afterwards.
    """
    found = {}
    for run, told in observations.newest_gaps(nodes, as_of, moment).items():
        slugs = [slug for slug in told.slugs if slug in WORDS and (slug == UNCOMMITTED or not told.signed)]
        if slugs:
            found[run] = tuple(_open(slug, told.source, told.run) for slug in slugs)
    return found


def _open(slug: str, source: str, run: str) -> Open:
    words, builder = WORDS[slug], builder_id(source)
    closes = words.tag
    if words.statement:
        closes += (
            f". Or a signed training run statement that {words.statement}, with the builder {builder} and "
            f"the invocation id {run}"
        )
    return Open(slug, words.what, closes, builder, bool(words.statement))
