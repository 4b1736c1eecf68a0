"""Which room answers which address."""

from django.urls import include, path

urlpatterns = [
    path("", include("api.urls")),
    path("accounts/", include("lineage.web.account_urls")),
    path("", include("lineage.web.urls")),
]
handler400 = "lineage.web.errors.bad_request"
handler403 = "lineage.web.errors.forbidden"
handler404 = "lineage.web.errors.not_found"
handler500 = "lineage.web.errors.server_error"
