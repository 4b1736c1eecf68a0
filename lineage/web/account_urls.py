"""Addresses under /accounts/: signing in, by a service too, signing out, one's password and second factor.

allauth resolves more names than that while it renders its forms; those that this platform doesn't offer
(sign-up, reset by e-mail) are here too, and answer 404.
"""

from __future__ import annotations

from allauth.account import views
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path

from lineage.web import second_factor


def absent(request: HttpRequest) -> HttpResponse:
    raise Http404


def sso_login(request: HttpRequest) -> HttpResponse:
    from lineage.web import single_sign_on  # 6 MB, which most installations never need

    return single_sign_on.login(request)


def sso_callback(request: HttpRequest) -> HttpResponse:
    from lineage.web import single_sign_on

    return single_sign_on.callback(request)


ABSENT = (
    ("signup/", "account_signup"),
    ("password/reset/", "account_reset_password"),
    ("password/set/", "account_set_password"),
    ("sso/signup/", "socialaccount_signup"),
    ("sso/cancelled/", "socialaccount_login_cancelled"),
    ("sso/connections/", "socialaccount_connections"),
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("login/", views.login, name="account_login"),
    path("logout/", views.logout, name="account_logout"),
    path("password/change/", views.password_change, name="account_change_password"),
    path("inactive/", views.account_inactive, name="account_inactive"),
    path("reauthenticate/", views.reauthenticate, name="account_reauthenticate"),
    path("2fa/totp/qr/", second_factor.qr_code, name="mfa_totp_qr"),
    path("2fa/", include("allauth.mfa.urls")),
    path("sso/login/", sso_login, name="sso_login"),
    path("sso/callback/", sso_callback, name="sso_callback"),
    *(path(route, absent, name=name) for route, name in ABSENT),
]
