"""What a layout and a link say, read strictly and as values, before anything else looks at them.

Owns: the members that mean something, their limits, and which keys a layout names. A member that is not known
is passed over, as in-toto asks; it is signed all the same. Does not own: signatures, certificates, rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from lineage.errors import MalformedError, TooLargeError
from lineage.trust import digest, strictjson
from lineage.trust.keys import PublicKey, load_public
from lineage.trust.layouts_metadata import Metadata
from lineage.trust.leaf import parse_rfc3339

MAX_LAYOUT_BYTES = 512 << 10
"""UTF-8 bytes of what is signed."""
MAX_STEPS = 100
MAX_RULES = 500
"""Of a layout's steps together."""
MAX_KEYS = 200
MAX_ELEMENT = 500
"""Characters of one word of a rule, or of a step's name."""
MAX_ARTIFACTS = 20_000
"""Materials or products of a link."""
MAX_PATH = 4_096
_EXPIRES = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", re.ASCII)

Artifacts = Mapping[str, Mapping[str, str]]
"""Path → digest set."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """What a certificate has to say of its holder: `*` alone stands for anything, nothing for nothing."""

    common_name: tuple[str, ...]
    dns_names: tuple[str, ...]
    emails: tuple[str, ...]
    organizations: tuple[str, ...]
    uris: tuple[str, ...]
    roots: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """`pubkeys` are the layout's names of keys; `materials` and `products` are the rules of each."""

    name: str
    threshold: int
    pubkeys: tuple[str, ...]
    constraints: tuple[Constraint, ...]
    materials: tuple[tuple[str, ...], ...]
    products: tuple[tuple[str, ...], ...]
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """`keys` has, by the layout's own name, a key, or the reason why there is none that can be used.

    `inspections` are their names; `roots` and `intermediates` PEM certificates by the layout's names;
    `expires_us` is µs since the epoch.
    """

    steps: tuple[Step, ...]
    inspections: tuple[str, ...]
    keys: Mapping[str, PublicKey | str]
    roots: Mapping[str, str]
    intermediates: Mapping[str, str]
    expires: str
    expires_us: int
    readme: str


@dataclass(frozen=True, slots=True)
class Link:
    """What one functionary says that a step took and made."""

    name: str
    materials: Artifacts
    products: Artifacts
    command: tuple[str, ...] = field(default=())


class _Constraint(msgspec.Struct):
    common_name: str = ""
    dns_names: list[str] | None = None
    emails: list[str] | None = None
    organizations: list[str] | None = None
    uris: list[str] | None = None
    roots: list[str] | None = None


class _Step(msgspec.Struct):
    name: str
    pubkeys: list[str] | None = None
    threshold: int = 1
    cert_constraints: list[_Constraint] | None = None
    expected_materials: list[list[str]] | None = None
    expected_products: list[list[str]] | None = None
    expected_command: list[str] | None = None


class _Inspection(msgspec.Struct):
    name: str


class _Layout(msgspec.Struct):
    steps: list[_Step]
    expires: str
    keys: dict[str, dict[str, Any]]
    inspect: list[_Inspection] | None = None
    rootcas: dict[str, dict[str, Any]] | None = None
    intermediatecas: dict[str, dict[str, Any]] | None = None
    readme: str | None = None


class _Link(msgspec.Struct):
    name: str
    materials: dict[str, dict[str, str]] | None = None
    products: dict[str, dict[str, str]] | None = None
    command: list[str] | None = None


_T = TypeVar("_T")


def _convert(content: object, form: type[_T], what: str) -> _T:
    try:
        return msgspec.convert(content, form)
    except msgspec.ValidationError as error:
        raise strictjson.mismatch(error, f"This is not a {what}") from None


def layout(metadata: Metadata) -> Layout:
    """The layout that was signed.

    Raises:
        MalformedError: it is a link; a member missing or of another type; two steps of one name, a
            threshold below one, no step at all (anything would fulfil such a layout), or `expires` in another
            form.
        TooLargeError: more than a layout may have.
    Source: in-toto specification 0.9, section 4.3; ITE-7 (certificates).
    """
    if metadata.kind != "layout":
        raise MalformedError("This is a link, not a layout.")
    if len(metadata.message) > MAX_LAYOUT_BYTES:
        raise TooLargeError(
            f"The layout has {len(metadata.message):,} bytes; the limit is {MAX_LAYOUT_BYTES:,}.",
            limit=MAX_LAYOUT_BYTES,
        )
    raw = _convert(metadata.content, _Layout, "layout")
    _limit(raw)
    if not _EXPIRES.fullmatch(raw.expires):
        raise MalformedError("A layout's expires is YYYY-MM-DDTHH:MM:SSZ.", where="$.expires")
    steps = tuple(_step(each, f"$.steps[{i}]") for i, each in enumerate(raw.steps))
    inspections = tuple(each.name for each in raw.inspect or ())
    names = [*(step.name for step in steps), *inspections]
    if len(set(names)) < len(names):
        raise MalformedError("Two steps or inspections of the layout have the same name.", where="$.steps")
    return Layout(
        steps,
        inspections,
        {name: _key(each) for name, each in raw.keys.items()},
        _certificates(raw.rootcas, "$.rootcas"),
        _certificates(raw.intermediatecas, "$.intermediatecas"),
        raw.expires,
        parse_rfc3339(raw.expires),
        raw.readme or "",
    )


def _limit(raw: _Layout) -> None:
    rules = sum(len(s.expected_materials or ()) + len(s.expected_products or ()) for s in raw.steps)
    for count, limit, what in (
        (len(raw.steps) + len(raw.inspect or ()), MAX_STEPS, "steps"),
        (rules, MAX_RULES, "rules"),
        (len(raw.keys), MAX_KEYS, "keys"),
        (len(raw.rootcas or ()) + len(raw.intermediatecas or ()), MAX_KEYS, "certificates"),
    ):
        if count > limit:
            raise TooLargeError(f"The layout has {count:,} {what}; the limit is {limit:,}.", limit=limit)
    if not raw.steps:
        raise MalformedError(
            "The layout has no step, so anything would fulfil it.", where="$.steps", hint="Name its steps."
        )


def _step(raw: _Step, where: str) -> Step:
    if not raw.name or len(raw.name) > MAX_ELEMENT:
        raise MalformedError(f"A step's name has 1 to {MAX_ELEMENT} characters.", where=f"{where}.name")
    if raw.threshold < 1:
        raise MalformedError("A step's threshold is at least 1.", where=f"{where}.threshold")
    pubkeys, constraints = raw.pubkeys or [], raw.cert_constraints or []
    if len(pubkeys) > MAX_KEYS or len(constraints) > MAX_KEYS:
        raise TooLargeError(f"A step names at most {MAX_KEYS} keys.", limit=MAX_KEYS, where=where)
    rules = (*(raw.expected_materials or ()), *(raw.expected_products or ()))
    if any(len(word) > MAX_ELEMENT for rule in rules for word in rule):
        raise TooLargeError(
            f"A word of a rule has at most {MAX_ELEMENT} characters.", limit=MAX_ELEMENT, where=where
        )
    return Step(
        raw.name,
        raw.threshold,
        tuple(pubkeys),
        tuple(map(_constraint, constraints)),
        tuple(map(tuple, raw.expected_materials or ())),
        tuple(map(tuple, raw.expected_products or ())),
        tuple(raw.expected_command or ()),
    )


def _constraint(raw: _Constraint) -> Constraint:
    listed = (raw.dns_names, raw.emails, raw.organizations, raw.uris, raw.roots)
    common = (raw.common_name,) if raw.common_name else ()
    return Constraint(common, *(tuple(each for each in values or () if each) for values in listed))


def _key(raw: Mapping[str, Any]) -> PublicKey | str:
    """A functionary's key, or why it can't be used. Source: in-toto specification 0.9, section 4.2."""
    if "method" in raw or "hashes" in raw or "subkeys" in raw:
        return "GPG keys are not taken"
    values = raw.get("keyval")
    public = values.get("public") if isinstance(values, dict) else None
    if not isinstance(public, str) or not public:
        return "it has no public key"
    try:
        if raw.get("keytype") == "ed25519":
            native = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
            spki = native.public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            return load_public(spki)
        return load_public(public.encode("utf-8"))
    except ValueError:
        return "it is not an Ed25519 key"
    except MalformedError as error:
        return error.message.rstrip(".")


def _certificates(raw: Mapping[str, Mapping[str, Any]] | None, where: str) -> dict[str, str]:
    found = {}
    for name, each in (raw or {}).items():
        values = each.get("keyval")
        pem = values.get("certificate") if isinstance(values, dict) else None
        if not isinstance(pem, str):
            raise MalformedError("An authority of the layout has no certificate.", where=f"{where}.{name}")
        found[name] = pem
    return found


def link(metadata: Metadata) -> Link:
    """The link that was signed.

    Raises:
        MalformedError: it is a layout; a member missing or of another type; a digest that is none.
        TooLargeError: more than 20,000 materials or products, or a path over 4,096 characters.
    Source: in-toto specification 0.9, section 4.4.
    """
    if metadata.kind != "link":
        raise MalformedError("This is a layout, not a link.")
    raw = _convert(metadata.content, _Link, "link")
    materials = _artifacts(raw.materials, "$.materials")
    return Link(raw.name, materials, _artifacts(raw.products, "$.products"), tuple(raw.command or ()))


def _artifacts(raw: Mapping[str, Mapping[str, str]] | None, where: str) -> Artifacts:
    found = raw or {}
    if len(found) > MAX_ARTIFACTS:
        raise TooLargeError(
            f"The link lists {len(found):,} files; the limit is {MAX_ARTIFACTS:,}.",
            limit=MAX_ARTIFACTS,
            where=where,
        )
    if any(len(path) > MAX_PATH for path in found):
        raise TooLargeError(f"A path has at most {MAX_PATH:,} characters.", limit=MAX_PATH, where=where)
    return {path: digest.parse_digest_set(digests, where=where) for path, digests in found.items()}
