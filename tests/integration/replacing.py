"""Have the offline root replace a platform key that was stolen, without commands or files between."""

from __future__ import annotations

from lineage.db.models import LogHead
from lineage.services import keyring, own_keys
from lineage.services.clock import now_us
from lineage.trust import dsse, platform_decisions
from lineage.trust.keys import PrivateKey, generate_ed25519
from lineage.trust.platform_decisions import Replacement
from lineage.trust.policy import Registration


def offline_root() -> PrivateKey:
    """Register one; its private half is the test's."""
    root = generate_ed25519()
    own_keys.register_root(root.public.pem(), "root in the safe", person="os:anna")
    return root


def replace_platform(root: PrivateKey, since_us: int, *, compromised: bool = True) -> int:
    """The platform's key is not believed from that log time on; returns the replacement's index."""
    ring = keyring.current()
    old = ring.holder("platform")
    assert old is not None
    new = own_keys.make_next("platform")
    scopes = ring.keys[old.key_id].scopes
    what = Replacement(
        origin=LogHead.objects.get(pk=1).origin,
        role="platform",
        old_key_id=old.key_id,
        from_us=since_us,
        reason="the server was broken into",
        compromised=compromised,
        new=Registration(new.public, "platform 2", scopes, None, None, -1, 0, "platform"),
    )
    payload = platform_decisions.build_replace("os:anna", now_us(), what)
    return own_keys.replace(dsse.sign(dsse.INTOTO_PAYLOAD_TYPE, payload, root)).submitted.receipt.index
