"""What a run should have recorded and has not, as slugs.

Owns: which gaps there are and when one is closed. Does not own: words about them, or who can close them.
"""

from __future__ import annotations

from collections.abc import Collection

from lineage.mlflow import stated
from lineage.mlflow.records import Record

SLUGS = (
    "base-model-unrecorded",
    "base-model-undigested",
    "dataset-undigested",
    "code-unrecorded",
    "uncommitted-code",
)
"""In the order in which a run's gaps are given."""


def gaps(
    run: Record,
    models_in_known: Collection[str],
    has_models: bool,
    datasets_known: Collection[str] = (),
) -> list[str]:
    """The gaps of one run.

    `models_in_known` are the ids of models whose bytes were hashed, `datasets_known` names of datasets whose
    bytes were; `has_models` says whether the run made a model. A run that made one names what it started
    from, or sets the tag `lineage.base_model` to `none`: trained from scratch.
    """
    bases, used = stated.base_models(run), stated.models_in(run)
    found = {
        "base-model-unrecorded": has_models and not used and not bases,
        "base-model-undigested": any(each not in models_in_known for each in used)
        or any(each.form == "uri" for each in bases),
        "dataset-undigested": any(
            not stated.dataset_sha256(run, name) and name not in datasets_known
            for name in (stated.text(each.get("name")) for each in stated.datasets(run))
        ),
        "code-unrecorded": not stated.commit(run),
        "uncommitted-code": stated.dirty(run),
    }
    return [slug for slug in SLUGS if found[slug]]
