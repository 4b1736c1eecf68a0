"""Certificate chains in envelopes: what may not sign for anybody, and whose signature it is where one may."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lineage.errors import MalformedError
from lineage.trust import roots, x509_chain
from lineage.trust.certified import MAX_CERTIFICATES, CertificateFindings, certified
from lineage.trust.opened import open_signed
from lineage.trust.verify import Outcome
from lineage.trust.verify_file import Given, verify_file
from tests import factories
from tests.chains import EPOCH, Holder

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
CODE = (ExtendedKeyUsageOID.CODE_SIGNING,)


def issued(
    name: str,
    by: Holder | None = None,
    *,
    ca: bool = False,
    depth: int | None = None,
    signs: bool = True,
    purposes: tuple[x509.ObjectIdentifier, ...] = (),
    begin: int = 0,
    days: int = 100,
    critical: bool = False,
) -> Holder:
    """A certificate that is valid from `begin` days after START on, for `days` days."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(START + begin * DAY)
        .not_valid_after(START + (begin + days) * DAY)
        .add_extension(x509.BasicConstraints(ca, depth), critical=True)
        .add_extension(x509.KeyUsage(signs, False, False, False, False, ca, ca, False, False), critical=True)
    )
    if not ca:
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"https://example.com/{name}")])
        builder = builder.add_extension(names, critical=False)
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if critical:
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
        builder = builder.add_extension(unknown, critical=True)
    return Holder(builder.sign(by.key if by else key, SHA256()), key)


ROOT = issued("root", ca=True)
MIDDLE = issued("middle", ROOT, ca=True, begin=5, days=50)
SIGNER = issued("signer", MIDDLE, purposes=CODE, begin=10, days=20)
STATEMENT = factories.statement(factories.artifact("model"))


def us(days: int) -> int:
    return int((START + days * DAY - EPOCH) / datetime.timedelta(microseconds=1))


def root_of(*holders: Holder) -> roots.Root:
    return roots.load("x509", b"".join(each.pem for each in holders))


def found(data: bytes, *known: roots.Root) -> CertificateFindings:
    return certified(open_signed(data), known)


def test_a_chain_is_who_it_names_in_the_time_that_all_of_it_is_valid() -> None:
    root = root_of(ROOT)
    (one,) = found(SIGNER.envelope(STATEMENT, MIDDLE), root).certified
    assert (one.subject, one.issuer) == ("https://example.com/signer", f"x509:{root.root_id}")
    assert (one.valid_from_us, one.valid_to_us) == (us(10), us(30))
    assert (one.proved_us, one.proved_by) == (None, "")


def test_a_signer_does_not_outlive_its_authority() -> None:
    longer = issued("longer", MIDDLE, begin=0, days=90)
    (one,) = found(longer.envelope(STATEMENT, MIDDLE), root_of(ROOT)).certified
    assert (one.valid_from_us, one.valid_to_us) == (us(5), us(55))


def test_an_authority_in_the_middle_may_be_the_root() -> None:
    (one,) = found(SIGNER.envelope(STATEMENT), root_of(MIDDLE)).certified
    assert one.valid_to_us == us(30)


def test_every_root_that_it_leads_to_is_told() -> None:
    first, second = root_of(ROOT), root_of(MIDDLE)
    said = found(SIGNER.envelope(STATEMENT, MIDDLE), first, second).certified
    assert {each.root_id for each in said} == {first.root_id, second.root_id}


NO_AUTHORITY = issued("no authority", ROOT)
NARROW = issued("narrow", ROOT, ca=True, depth=0)
BELOW_NARROW = issued("below", NARROW, ca=True)
STRANGE = issued("strange", ROOT, ca=True, critical=True)
IMPOSTOR = issued("middle", ca=True)
"""It has MIDDLE's name and another key."""

NO_CHAIN: dict[str, Callable[[], bytes]] = {
    "another root": lambda: issued("x", issued("other", ca=True)).envelope(STATEMENT),
    "no intermediate": lambda: SIGNER.envelope(STATEMENT),
    "an intermediate of that name with another key": lambda: SIGNER.envelope(STATEMENT, IMPOSTOR),
    "signed by itself": lambda: issued("alone").envelope(STATEMENT),
    "issued by one that is no authority": lambda: issued("x", NO_AUTHORITY).envelope(STATEMENT, NO_AUTHORITY),
    "deeper than its authority may issue": lambda: issued("x", BELOW_NARROW).envelope(
        STATEMENT, BELOW_NARROW, NARROW
    ),
    "a critical extension that nobody knows": lambda: issued("x", ROOT, critical=True).envelope(STATEMENT),
    "such an extension of its authority": lambda: issued("x", STRANGE).envelope(STATEMENT, STRANGE),
}


@pytest.mark.parametrize("why", NO_CHAIN)
def test_what_leads_to_no_root_certifies_nobody(why: str) -> None:
    said = found(NO_CHAIN[why](), root_of(ROOT))
    assert said.certified == ()
    assert len(said.foreign) == 1


def test_as_deep_as_its_authority_may_issue() -> None:
    assert found(issued("x", NARROW).envelope(STATEMENT, NARROW), root_of(ROOT)).certified


def test_a_chain_has_an_end() -> None:
    chain = [ROOT]
    while len(chain) < x509_chain.MAX_DEPTH - 1:
        chain.append(issued(f"authority {len(chain)}", chain[-1], ca=True))
    fits = issued("fits", chain[-1]).envelope(STATEMENT, *chain[1:])
    chain.append(issued("one more", chain[-1], ca=True))
    longer = issued("longer", chain[-1]).envelope(STATEMENT, *chain[1:])
    assert found(fits, root_of(ROOT)).certified
    assert not found(longer, root_of(ROOT)).certified


MAY_NOT: dict[str, tuple[Callable[[], Holder], str]] = {
    "no signatures": (lambda: issued("x", ROOT, signs=False), "not be used for signatures"),
    "servers": (lambda: issued("x", ROOT, purposes=(ExtendedKeyUsageOID.SERVER_AUTH,)), "other purposes"),
    "timestamps": (
        lambda: issued("x", ROOT, purposes=(ExtendedKeyUsageOID.TIME_STAMPING,)),
        "other purposes",
    ),
    "an authority": (lambda: issued("x", ROOT, ca=True), "an authority's"),
}


@pytest.mark.parametrize("why", MAY_NOT)
def test_what_a_certificate_is_not_for(why: str) -> None:
    make, reason = MAY_NOT[why]
    said = found(make().envelope(STATEMENT), root_of(ROOT))
    assert said.certified == ()
    assert reason in said.refuted[0]


def altered(change: Callable[[dict[str, Any]], None]) -> bytes:
    value = json.loads(SIGNER.envelope(STATEMENT, MIDDLE))
    change(value)
    return json.dumps(value).encode()


def test_another_payload_is_refuted() -> None:
    payload = base64.b64encode(factories.as_payload(factories.statement(factories.artifact("evil")))).decode()
    said = found(altered(lambda value: value.update(payload=payload)), root_of(ROOT))
    assert said.certified == ()
    assert "did not make this signature" in said.refuted[0]


def test_another_s_certificate_beside_a_signature_is_refuted() -> None:
    other = issued("other", ROOT)
    pem = base64.b64encode(other.pem).decode()
    said = found(altered(lambda value: value["signatures"][0].update(certificate=pem)), root_of(ROOT))
    assert said.certified == ()
    assert said.refuted


def test_a_certificate_as_older_signers_write_it() -> None:
    """PEM as it is, in `cert`. Source: slsa-github-generator."""

    def older(value: dict[str, Any]) -> None:
        (signature,) = value["signatures"]
        signature["cert"] = base64.b64decode(signature.pop("certificate")).decode()

    opened = open_signed(altered(older))
    assert opened.certificates
    assert certified(opened, [root_of(ROOT)]).certified


@pytest.mark.parametrize("text", ["bm90IGEgY2VydGlmaWNhdGU=", "%%%"])
def test_a_certificate_that_is_none(text: str) -> None:
    with pytest.raises(MalformedError):
        found(altered(lambda value: value["signatures"][0].update(certificate=text)), root_of(ROOT))


def test_too_many_certificates() -> None:
    with pytest.raises(MalformedError, match="too many"):
        found(SIGNER.envelope(STATEMENT, *[MIDDLE] * MAX_CERTIFICATES), root_of(ROOT))


@pytest.mark.parametrize(
    ("day", "outcome"), [(9, "refuted"), (10, "verified"), (30, "verified"), (31, "refuted")]
)
def test_a_file_is_judged_at_the_moment_that_is_given(day: int, outcome: str) -> None:
    given = Given(at_us=us(day), roots=(root_of(ROOT),), identity="https://example.com/*")
    assert verify_file(SIGNER.envelope(STATEMENT, MIDDLE), given).outcome.value == outcome


@pytest.mark.parametrize("identity", ["https://example.com/", "*example.org*", "SIGNER"])
def test_a_file_by_somebody_else_is_refuted(identity: str) -> None:
    given = Given(at_us=us(20), roots=(root_of(ROOT),), identity=identity)
    assert verify_file(SIGNER.envelope(STATEMENT, MIDDLE), given).outcome is Outcome.REFUTED
