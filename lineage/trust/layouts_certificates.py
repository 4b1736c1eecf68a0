"""Functionaries that a layout knows by certificate: a chain to one of its authorities, and what it says.

Owns: certificate constraints, over the layout as received; the package `in-toto` for Python drops them. Does
not own: building chains (`x509_chain`), or the signature itself (`layouts_signers`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID

from lineage.errors import MalformedError
from lineage.trust import x509_chain, x509_reading
from lineage.trust.keys import PublicKey, load_public
from lineage.trust.layouts_model import Constraint, Layout, Step
from lineage.trust.leaf import rfc3339
from lineage.trust.x509_chain import Chain

ANYTHING = "*"
MAX_PEM = 64 << 10


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose certificate it is, by the key in it, and a name for people.

    `certificates`: the chain from it to the layout's authority, then all others of the layout, then those
    that came with it.
    """

    key: PublicKey
    name: str
    certificates: tuple[x509.Certificate, ...]


def holder(pem: str, layout: Layout, step: Step, at_us: int) -> Holder | str:
    """Who may do the step by this certificate (PEM, intermediates after it), or a sentence why nobody.

    `at_us`: a moment (µs) at which the signature was there already; the chain has to be valid then.
    Source: ITE-7; in-toto-golang, certificate constraints.
    """
    if not step.constraints:
        return "the step takes no certificates"
    try:
        given = _load(pem)
        anchors = {name: one for name, text in layout.roots.items() for one in _load(text)}
        between = [one for text in layout.intermediates.values() for one in _load(text)]
        key = _key(given[0])
    except MalformedError as error:
        return error.message.rstrip(".")
    whys = []
    for constraint in step.constraints:
        unmet = _unmet(given[0], constraint)
        chain = unmet or _chained(given[0], (*given[1:], *between), anchors, constraint, at_us)
        if isinstance(chain, Chain):
            name = x509_chain.subject_of(given[0])[:200]
            return Holder(key, name, (*chain.certificates, *anchors.values(), *between, *given[1:]))
        whys.append(chain)
    return whys[0]


def _load(pem: str) -> list[x509.Certificate]:
    if len(pem) > MAX_PEM:
        raise MalformedError(f"A certificate has at most {MAX_PEM:,} characters.")
    return x509_reading.from_pem(pem.encode("utf-8"))


def _key(certificate: x509.Certificate) -> PublicKey:
    spki = x509_reading.spki(certificate)
    if spki is None:
        raise MalformedError("The certificate's key can't be read.")
    return load_public(spki)


def _chained(
    leaf: x509.Certificate,
    others: Sequence[x509.Certificate],
    anchors: Mapping[str, x509.Certificate],
    constraint: Constraint,
    at_us: int,
) -> Chain | str:
    """A chain to one of the constraint's authorities that was valid then, or why there is none."""
    anyone = constraint.roots == (ANYTHING,)
    allowed = [one for name, one in anchors.items() if anyone or name in constraint.roots]
    chain = x509_chain.build(leaf, others, allowed)
    if chain is None:
        return "its certificate leads to no authority that the step accepts"
    if not chain.valid_from_us <= at_us <= chain.valid_to_us:
        window = f"{rfc3339(chain.valid_from_us)} to {rfc3339(chain.valid_to_us)}"
        return f"its certificate is valid from {window}, not at {rfc3339(at_us)}"
    return chain


def _unmet(certificate: x509.Certificate, constraint: Constraint) -> str:
    """ "" where the certificate says exactly what is asked of its holder."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        alternatives: list[x509.GeneralName] = list(found)
    except x509.ExtensionNotFound:
        alternatives = []
    except (ValueError, x509.DuplicateExtension):
        return "its certificate's extensions can't be read"
    for what, asked, said in (
        ("common name", constraint.common_name, _named(certificate, NameOID.COMMON_NAME)),
        ("organization", constraint.organizations, _named(certificate, NameOID.ORGANIZATION_NAME)),
        ("DNS name", constraint.dns_names, _of(alternatives, x509.DNSName)),
        ("e-mail address", constraint.emails, _of(alternatives, x509.RFC822Name)),
        ("URI", constraint.uris, _of(alternatives, x509.UniformResourceIdentifier)),
    ):
        if asked != (ANYTHING,) and sorted(asked) != sorted(said):
            return f"the {what} in its certificate is not the one that the step asks for"
    return ""


def _named(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> list[str]:
    values = [attribute.value for attribute in certificate.subject.get_attributes_for_oid(oid)]
    return [value if isinstance(value, str) else value.decode("utf-8", "replace") for value in values]


def _of(
    names: Sequence[x509.GeneralName],
    kind: type[x509.DNSName] | type[x509.RFC822Name] | type[x509.UniformResourceIdentifier],
) -> list[str]:
    return [name.value for name in names if isinstance(name, kind)]
