"""Second opinions on vectors: what other libraries say, and that each difference has a known reason."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lineage.trust.verify import Verdict

VERIFIED, REFUSED, SILENT = "verified", "refused", "silent"
"""What is compared: `silent` is who can't read the file, or does not judge its kind."""


def of(verdict: Verdict) -> str:
    """Our own verdict. Refuted and inconclusive are never verified."""
    return VERIFIED if verdict.outcome.value == "verified" else REFUSED


def expected(case: Mapping[str, Any]) -> str:
    """What the vector expects; malformed and refuted both mean never verified."""
    return VERIFIED if case["expect"] == "verified" else REFUSED


def sigstore(data: bytes, root: Path, artifact: bytes | None) -> str:
    """Sigstore's own verifier, by a trusted root; `artifact` is what was signed instead of a statement."""
    from sigstore.errors import Error, VerificationError
    from sigstore.models import Bundle, TrustedRoot
    from sigstore.verify import Verifier, policy

    try:
        bundle = Bundle.from_json(data)
    except (Error, ValueError):
        return SILENT
    verifier = Verifier(trusted_root=TrustedRoot.from_file(str(root)))
    anybody = policy.AnyOf([policy.Identity(identity=identity_of(bundle))])
    try:
        if artifact is None:
            verifier.verify_dsse(bundle, anybody)
        else:
            verifier.verify_artifact(artifact, bundle, anybody)
    except VerificationError as error:
        unsupported = "only supported" in str(error) or "nsupported" in str(error)
        return SILENT if unsupported else REFUSED
    return VERIFIED


def identity_of(bundle: Any) -> str:
    """The name that the bundle's certificate is for."""
    from lineage.trust.x509_chain import subject_of

    return subject_of(bundle.signing_certificate)


def explain(case: Mapping[str, Any], ours: str, other: str, reasons: Mapping[str, str]) -> None:
    """Three opinions agree, or `reasons` has the file; a reason without a difference is an error too."""
    wanted = expected(case)
    differs = ours != wanted or other not in (ours, SILENT)
    assert differs == (case["file"] in reasons), f"expected {wanted}, ours {ours}, theirs {other}"
