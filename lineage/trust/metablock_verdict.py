"""The verdict on a classic link or layout (Metablock) by public keys.

Owns: whether given keys signed it, and whether a file is a product of a link. Does not own: reading it
(`layouts_metadata`), or whether a supply chain kept to a layout (`layouts`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lineage.trust import digest, layouts_metadata
from lineage.trust.keys import PublicKey
from lineage.trust.verify import Outcome, Verdict


def judge(data: bytes, keys: Sequence[PublicKey], artifact: Mapping[str, str] | None) -> Verdict:
    """Judge by `keys`; `artifact` is the digest set of what must be a product of a link, or None.

    Raises: MalformedError, TooLargeError for a file that can't be read.
    Source: in-toto specification 0.9, sections 4.2 and 4.4.
    """
    metadata = layouts_metadata.read(data)
    facts: dict[str, object] = {"kind": metadata.kind, "form": metadata.form}
    refused = [each.refused for each in metadata.signatures if each.refused]
    if not keys:
        return Verdict(Outcome.INCONCLUSIVE, ("No key was given, so no signature could be checked.",), facts)
    if not metadata.signatures:
        return Verdict(Outcome.REFUTED, (f"The {metadata.kind} is not signed.",), facts)
    signers = {
        key.key_id
        for key in keys
        for each in metadata.signatures
        if not each.refused and key.verify(metadata.message, each.sig)
    }
    facts["signers"] = sorted(signers)
    if not signers:
        told = refused[0].capitalize() if refused else "None of the given keys made any of the signatures"
        outcome = Outcome.INCONCLUSIVE if len(refused) == len(metadata.signatures) else Outcome.REFUTED
        return Verdict(outcome, (f"{told}.",), facts)
    signed = f"The {metadata.kind} is signed by a given key"
    if metadata.kind == "layout":
        reason = (
            f"{signed}. Whether the supply chain kept to it is for `lineage verify-layout`, with the links."
        )
        outcome = Outcome.VERIFIED if artifact is None else Outcome.INCONCLUSIVE
        return Verdict(outcome, (reason,), facts)
    return _judge_products(metadata.content, artifact, signed, facts)


def _judge_products(
    content: Mapping[str, object], artifact: Mapping[str, str] | None, signed: str, facts: dict[str, object]
) -> Verdict:
    if artifact is None:
        return Verdict(Outcome.VERIFIED, (f"{signed}.",), facts)
    products = content.get("products")
    several = products if isinstance(products, dict) else {}
    sets = {name: each for name, each in several.items() if isinstance(each, dict)}
    matched = [name for name, each in sets.items() if digest.match(each, artifact)]
    facts["matched"] = matched
    if matched:
        return Verdict(Outcome.VERIFIED, (f"{signed}, and the artifact is a product of it.",), facts)
    if not all(digest.comparable(each, artifact) for each in sets.values()):
        reason = f"{signed}, but a product has no digest that the artifact's could be compared with."
        return Verdict(Outcome.INCONCLUSIVE, (reason,), facts)
    return Verdict(Outcome.REFUTED, (f"{signed}, but the artifact is none of its products.",), facts)
