"""Addresses of this room. They carry digests and keys, never database ids."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from lineage.web import (
    attestations,
    check_policy,
    cypher,
    jobs,
    keys,
    locations,
    log,
    node_lists,
    refusals,
    search,
    sources,
    subscriptions,
    system,
    today,
    tokens,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("", today.Today.as_view(), name="today"),
    path("models", node_lists.Models.as_view(), name="models"),
    path("datasets", node_lists.Datasets.as_view(), name="datasets"),
    path("runs", node_lists.Runs.as_view(), name="runs"),
    path("hardware", node_lists.Hardware.as_view(), name="hardware-list"),
    path("attestations", attestations.Attestations.as_view(), name="attestations"),
    path("keys", keys.Keys.as_view(), name="keys"),
    path("keys/<str:key_id>", keys.Key.as_view(), name="key"),
    path("log", log.Log.as_view(), name="log"),
    path("jobs", jobs.Jobs.as_view(), name="jobs"),
    path("jobs/<int:job_id>/retry", jobs.RetryJob.as_view(), name="job-retry"),
    path("search", search.Search.as_view(), name="search"),
    path("sources", sources.Sources.as_view(), name="sources"),
    path("sources/_new", sources.NewSource.as_view(), name="source-new"),
    path("sources/<str:name>", sources.SourcePage.as_view(), name="source"),
    path("sources/<str:name>/edit", sources.EditSource.as_view(), name="source-edit"),
    path("sources/<str:name>/<slug:act>", sources.ActOnSource.as_view(), name="source-act"),
    path("subscriptions", subscriptions.Subscriptions.as_view(), name="subscriptions"),
    path(
        "subscriptions/<int:number>/<slug:act>",
        subscriptions.ActOnSubscription.as_view(),
        name="subscription-act",
    ),
    path("locations", locations.Locations.as_view(), name="locations"),
    path("locations/_new", locations.NewLocation.as_view(), name="location-new"),
    path("locations/<str:name>", locations.LocationPage.as_view(), name="location"),
    path("locations/<str:name>/edit", locations.EditLocation.as_view(), name="location-edit"),
    path("locations/<str:name>/<slug:act>", locations.ActOnLocation.as_view(), name="location-act"),
    path("check-policy", check_policy.CheckPolicyPage.as_view(), name="check-policy"),
    path("system", system.System.as_view(), name="system"),
    path("refusals", refusals.Refusals.as_view(), name="refusals"),
    path("graph/cypher", cypher.Cypher.as_view(), name="cypher"),
    path("tokens", tokens.Tokens.as_view(), name="tokens"),
    path("tokens/<slug:prefix>/rotate", tokens.RotateToken.as_view(), name="token-rotate"),
    path("tokens/<slug:prefix>/revoke", tokens.RevokeToken.as_view(), name="token-revoke"),
    path("", include("lineage.web.detail_urls")),
]
