"""Reasons as pages explain them: the words of `lineage.services.reasons`, which programs are told too."""

from lineage.services.reasons import (
    REASONS,
    REASONS_OF_KINDS,
    REMEDIES,
    REMEDIES_OF_KINDS,
    TAINTS,
    Explanation,
    explain,
    explain_all,
    sentence,
)

__all__ = [
    "REASONS", "REASONS_OF_KINDS", "REMEDIES", "REMEDIES_OF_KINDS", "TAINTS",
    "Explanation", "explain", "explain_all", "sentence",
]  # fmt: skip
