"""Addresses of the pages of single nodes and attestations, and of lineage."""

from __future__ import annotations

from django.urls import path

from lineage.web import (
    artifact_decisions,
    attestation_pages,
    compare,
    completeness,
    impact,
    in_common,
    lineage_pages,
    node_pages,
    source_models,
    verify_now,
)

urlpatterns = [
    path("artifacts/<str:key>", node_pages.ArtifactPage.as_view(), name="artifact"),
    path("artifacts/<str:key>/verify", verify_now.VerifyNow.as_view(), name="artifact-verify"),
    path("artifacts/<str:key>/checking", verify_now.Checking.as_view(), name="artifact-checking"),
    path(
        "artifacts/<str:key>/decide/<slug:act>", artifact_decisions.Decide.as_view(), name="artifact-decide"
    ),
    path("runs/<str:key>", node_pages.RunPage.as_view(), name="run"),
    path("nodes/<str:key>", node_pages.NodePage.as_view(), name="node"),
    path("nodes/<str:key>/decide/<slug:act>", artifact_decisions.Decide.as_view(), name="node-decide"),
    path("completeness/<str:key>", completeness.CompletenessPage.as_view(), name="completeness"),
    path("compare/<str:key>", compare.ComparePage.as_view(), name="compare"),
    path("compare/<str:key>/common", in_common.InCommonPage.as_view(), name="in-common"),
    path("impact/<str:key>", impact.ImpactPage.as_view(), name="impact"),
    path("models/<str:key>/lineage", lineage_pages.LineagePage.as_view(), name="model-lineage"),
    path("models/<str:key>/lineage/all", lineage_pages.LineageWall.as_view(), name="model-lineage-all"),
    path("attestations/<str:digest>", attestation_pages.AttestationPage.as_view(), name="attestation"),
    path(
        "attestations/<str:digest>/consequences",
        attestation_pages.ConsequencesPage.as_view(),
        name="attestation-consequences",
    ),
    path(
        "attestations/<str:digest>/withdraw",
        attestation_pages.Withdraw.as_view(),
        name="attestation-withdraw",
    ),
    path(
        "attestations/<str:digest>/redact",
        attestation_pages.Redact.as_view(),
        name="attestation-redact",
    ),
    path("sources/<str:source>/models/", source_models.RegisteredModel.as_view(), name="source-model-named"),
    path(
        "sources/<str:source>/models/<path:model>",
        source_models.RegisteredModel.as_view(),
        name="source-model",
    ),
    path(
        "attestations/<str:digest>/envelope",
        attestation_pages.EnvelopeDownload.as_view(),
        name="attestation-envelope",
    ),
    path(
        "attestations/<str:digest>/keys/<str:key_id>.pem",
        attestation_pages.KeyDownload.as_view(),
        name="attestation-key",
    ),
]
