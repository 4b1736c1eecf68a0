"""The application finds the same view as the framework, the first time and from memory."""

from __future__ import annotations

from django.test import RequestFactory
from django.urls import resolve

from lineage.wsgi import Application

FIXED = ("/api/v1/attestations", "/api/v1/nodes")
VARYING = ("/api/v1/attestations/sha256:ab", "/api/v1/nodes/x/ancestors", "/api/v1/nowhere", "/api/v1/nodes/")


def test_an_address_leads_to_the_same_view_each_time() -> None:
    application, requests = Application(), RequestFactory()
    for path in (*FIXED, *VARYING) * 2:
        request = requests.get(path)
        found, meant = application.resolve_request(request), resolve(path)
        assert (found.func, found.kwargs, found.view_name) == (meant.func, meant.kwargs, meant.view_name)
        assert request.resolver_match is found


def test_only_addresses_without_a_part_that_varies_are_remembered() -> None:
    application, requests = Application(), RequestFactory()
    for number in range(20):
        for path in (*FIXED, *VARYING, f"/api/v1/nowhere/{number}", f"/api/v1/nodes/{number}"):
            application.resolve_request(requests.get(path))
    assert set(application._fixed) == set(FIXED)
