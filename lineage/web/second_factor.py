"""Second factors: authenticator apps, passkeys and security keys, recovery codes. allauth does the protocols.

Owns: that their secrets are encrypted where the database keeps them, and the picture of an app's secret. Does
not own: who needs one (`services.second_factors`).
"""

from __future__ import annotations

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.adapter import get_adapter as mfa_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from lineage.db.configuration import User
from lineage.services import secret_box

_PLACE = ("second factor", "secret")


class MfaAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth ships no types
    def encrypt(self, text: str) -> str:
        return secret_box.seal(text, *_PLACE)

    def decrypt(self, encrypted_text: str) -> str:
        return secret_box.open_box(encrypted_text, *_PLACE)

    def build_totp_svg(self, url: str) -> str:
        """The QR code on white, which readers need also where the page is dark."""
        import qrcode  # type: ignore[import-untyped]  # with Pillow 4 MB, for who sets up a second factor
        from qrcode.image.svg import SvgFillImage  # type: ignore[import-untyped]

        picture = qrcode.make(url, image_factory=SvgFillImage)
        return str(picture.to_string(encoding="unicode"))

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        entity: dict[str, str] = super().get_public_key_credential_rp_entity()
        return {**entity, "name": "Lineage"}

    def generate_authenticator_name(self, user: AbstractBaseUser, type: str) -> str:
        return f"Key {Authenticator.objects.filter(user_id=user.pk, type=type).count() + 1}"


@never_cache
@require_GET
def qr_code(request: HttpRequest) -> HttpResponse:
    """The secret of the app that is being set up, as an SVG picture: the pages' policy takes no data: URL."""
    secret = request.session.get(SECRET_SESSION_KEY)
    if not isinstance(request.user, User) or not secret:
        raise Http404
    adapter = mfa_adapter()
    picture = adapter.build_totp_svg(adapter.build_totp_url(request.user, secret))
    answer = HttpResponse(picture, content_type="image/svg+xml")
    answer["Cache-Control"] = "no-store"
    return answer
