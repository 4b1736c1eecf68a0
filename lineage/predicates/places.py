"""Countries and regions by their codes, and their nodes. Source: ISO 3166-1 (alpha-2), ISO 3166-2."""

from __future__ import annotations

import re

from lineage.errors import MalformedError
from lineage.graph.model import ClaimKind, NodeKind, place_key
from lineage.predicates.delta import Delta

_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_REGION = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}", re.ASCII)


def country(code: str, *, where: str) -> str:
    """`code` as it is; "" stays "". Raises MalformedError where it has not the form of one."""
    if code and not _COUNTRY.fullmatch(code):
        raise MalformedError("This is not a country's code of ISO 3166-1, such as DE.", where=where)
    return code


def region(code: str, *, of: str, where: str) -> str:
    """`code`, which must be one of the country `of`; "" stays "". Raises MalformedError."""
    if code and not (_REGION.fullmatch(code) and code.startswith(f"{of}-")):
        raise MalformedError(
            "This is not a code of ISO 3166-2 in the country that is given, such as DE-HE in DE.",
            where=where,
        )
    return code


def entered(delta: Delta, code: str) -> str:
    """The node of a country or region; returns its key."""
    key = delta.node(place_key(code), NodeKind.PLACE)
    delta.claim(key, ClaimKind.NAME, code)
    return key
