"""What a key ring has against the functionaries of a layout: whose signature it takes for nobody's.

A layout says itself who may do its steps, and they need not be registered anywhere. But who *is* registered
is judged as in the log: by the moment at which the signature was there. A signer that was revoked by then, or
whose time was over, counts for nothing, in whichever form the link came in.

Owns: asking the ring about a functionary's key, and about the identity behind a certificate. Does not own:
whose keys a layout names (`layouts_signers`), or what the ring's decisions mean (`policy`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cryptography import x509

from lineage.trust import keyless, roots, x509_chain
from lineage.trust.identities import X509_ISSUER
from lineage.trust.layouts_metadata import Metadata
from lineage.trust.policy import ROOT_PREFIX, KeyRing
from lineage.trust.roots import Root

_Certificates = tuple[x509.Certificate, ...]


@dataclass(slots=True)
class Belief:
    """What `ring` knows of those who signed.

    `left_out` fills while a layout is judged: what some step would have taken, were its signers believed.
    """

    ring: KeyRing = field(default_factory=KeyRing)
    left_out: list[Metadata] = field(default_factory=list)
    _known: dict[_Certificates, tuple[str, ...]] = field(default_factory=dict)

    def against(self, key_id: str, certificates: Sequence[x509.Certificate], at_us: int) -> str:
        """Why a signature by the key, there at `at_us` (µs), is believed no more; "": the ring knows nothing.

        `certificates`: the functionary's, then others that may lead from it to a root, the likeliest first;
        none where the layout names the key itself.
        """
        if key_id in self.ring.keys or key_id in self.ring.effective:
            return self._said(key_id, at_us)
        found = [(signer, self._said(signer, at_us)) for signer in self._behind(tuple(certificates))]
        if any(not said and not signer.startswith(ROOT_PREFIX) for signer, said in found):
            return ""  # one identity that is believed is enough, as in the log
        return next((said for _, said in found if said), "")

    def _said(self, signer: str, at_us: int) -> str:
        revoked = self.ring.revoked(signer, at_us)
        if revoked is not None:
            what = "root of its certificate" if signer.startswith(ROOT_PREFIX) else "key"
            return f"the {what} is {revoked}".rstrip(".")
        registered = self.ring.keys.get(signer)
        if registered is None or registered.registered_us > at_us:
            return ""  # nobody had said then who it is
        said = self.ring.in_force(signer, at_us)
        return "" if said is None else f"{said[0].lower()}{said[1:]}".rstrip(".")

    def _behind(self, certificates: _Certificates) -> tuple[str, ...]:
        """Ids of the identities that the certificates stand for; of a root without any its own."""
        if not certificates or not self.ring.roots:
            return ()
        if certificates not in self._known:
            self._known[certificates] = tuple(self._by_roots(certificates))
        return self._known[certificates]

    def _by_roots(self, certificates: _Certificates) -> Iterator[str]:
        leaf, *others = certificates
        for root_id, adopted in self.ring.roots.items():
            root = adopted.root
            if root.kind == "timestamp" or x509_chain.build(leaf, others, _anchors(root)) is None:
                continue
            issuer = X509_ISSUER + root_id if root.kind == "x509" else keyless.issuer_of(leaf)
            identities = self.ring.identified(issuer, x509_chain.subject_of(leaf), root_id)
            yield from identities or (ROOT_PREFIX + root_id,)


def _anchors(root: Root) -> Sequence[x509.Certificate]:
    if root.kind == "x509":
        return roots.certificates(root)
    return roots.trusted_root(root).get_fulcio_certs()
