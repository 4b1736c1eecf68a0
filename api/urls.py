"""Addresses of this room: the REST interface, the log for tlog-tiles clients, health.

No address ends in a slash. What is nothing below a prefix of this room is a problem document, not a page.
"""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path, re_path

from api import (
    attestations,
    changes,
    comparisons,
    completeness,
    cypher,
    decisions,
    documentation,
    exports,
    forgetting,
    gate,
    health,
    impact,
    incidents,
    jobs,
    keys,
    layouts,
    locations,
    log,
    nodes,
    proposals,
    refusals,
    signers,
    sources,
    subscriptions,
    tainted,
)
from api.base import Nowhere
from api.interop import archivista, mlflow, openlineage

calls: list[URLPattern | URLResolver] = [
    path("attestations", attestations.Attestations.as_view(), name="attestations"),
    path("attestations/<str:digest>", attestations.Attestation.as_view(), name="attestation"),
    path("attestations/<str:digest>/envelope", attestations.Envelope.as_view(), name="envelope"),
    path("attestations/<str:digest>/proof", attestations.Proof.as_view(), name="proof"),
    path("nodes", nodes.Nodes.as_view(), name="nodes"),
    path("nodes/<str:key>", nodes.Node.as_view(), name="node"),
    path("nodes/<str:key>/ancestors", nodes.Ancestors.as_view(), name="ancestors"),
    path("nodes/<str:key>/descendants", nodes.Descendants.as_view(), name="descendants"),
    path("nodes/<str:key>/impact", impact.Impact.as_view(), name="impact"),
    path("nodes/<str:key>/common-ancestors", comparisons.CommonAncestors.as_view(), name="common-ancestors"),
    path("nodes/<str:key>/export", exports.NodeExport.as_view(), name="node-export"),
    path("nodes/<str:key>/checks", nodes.Checks.as_view(), name="checks"),
    path("nodes/<str:key>/gate", gate.Gate.as_view(), name="gate"),
    path("nodes/<str:key>/completeness", completeness.Completeness.as_view(), name="completeness"),
    path("nodes/<str:key>/observations", nodes.Observations.as_view(), name="observations"),
    path("paths", nodes.Paths.as_view(), name="paths"),
    path("difference", comparisons.Difference.as_view(), name="difference"),
    path("changes", changes.Changes.as_view(), name="changes"),
    path("jobs/<int:job_id>", jobs.Job.as_view(), name="job"),
    path("graph/cypher", cypher.Cypher.as_view(), name="cypher"),
    path("decisions", decisions.Decisions.as_view(), name="decisions"),
    path("incidents", incidents.Incidents.as_view(), name="incidents"),
    path("incidents/<str:digest>", incidents.OneIncident.as_view(), name="incident"),
    path("tainted", tainted.Tainted.as_view(), name="tainted"),
    path("forgetting", forgetting.ForgettingNow.as_view(), name="forgetting"),
    path("proposals", proposals.Proposals.as_view(), name="proposals"),
    path("proposals/<int:number>", proposals.Proposal.as_view(), name="proposal"),
    path("proposals/<int:number>/approve", proposals.Approve.as_view(), name="proposal-approve"),
    path("proposals/<int:number>/reject", proposals.Reject.as_view(), name="proposal-reject"),
    path("keys", keys.Keys.as_view(), name="keys"),
    path("keys/<str:key_id>", keys.Key.as_view(), name="key"),
    path("keys/<str:key_id>/revoke", keys.Revoke.as_view(), name="revoke"),
    path("keys/<str:key_id>/rotate", keys.Rotate.as_view(), name="rotate"),
    path("identities", signers.Identities.as_view(), name="identities"),
    path("roots", signers.Roots.as_view(), name="roots"),
    path("roots/<str:root_id>/revoke", signers.RevokeRoot.as_view(), name="revoke-root"),
    path("layouts", layouts.Layouts.as_view(), name="layouts"),
    path("layouts/<str:layout_id>", layouts.Layout.as_view(), name="layout"),
    path("layouts/<str:layout_id>/withdraw", layouts.Withdraw.as_view(), name="layout-withdraw"),
    path("layouts/<str:layout_id>/verify", layouts.Verify.as_view(), name="layout-verify"),
    path("refusals", refusals.Refusals.as_view(), name="refusals"),
    path("sources", sources.Sources.as_view(), name="sources"),
    path("sources/<str:name>", sources.Source.as_view(), name="source"),
    path("sources/<str:name>/check", sources.Check.as_view(), name="source-check"),
    path("sources/<str:name>/sync", sources.Sync.as_view(), name="source-sync"),
    path("locations", locations.Locations.as_view(), name="locations"),
    path("locations/<str:name>", locations.Location.as_view(), name="location"),
    path("locations/<str:name>/check", locations.Check.as_view(), name="location-check"),
    path("locations/<str:name>/verify", locations.Verify.as_view(), name="location-verify"),
    path("subscriptions", subscriptions.Subscriptions.as_view(), name="subscriptions"),
    path("subscriptions/<int:number>", subscriptions.Subscription.as_view(), name="subscription"),
    path("subscriptions/<int:number>/test", subscriptions.Test.as_view(), name="subscription-test"),
    path("interop/mlflow/<str:name>", mlflow.Webhook.as_view(), name="mlflow-webhook"),
    path("lineage", openlineage.Event.as_view(), name="openlineage-event"),
    path("lineage/batch", openlineage.Batch.as_view(), name="openlineage-batch"),
]
rooted: list[URLPattern | URLResolver] = [
    path("api/v1/", include(calls)),
    path("api/schema", documentation.Schema.as_view(), name="schema"),
    path("api/docs", documentation.Pages.as_view(), name="docs"),
    re_path(r"^api(?:/.*)?$", Nowhere.as_view()),
    *(
        path(f"archivista/{version}{address}", view.as_view(), name=f"archivista-{name}{version[:2]}")
        for version in ("", "v1/")
        for name, address, view in (
            ("upload", "upload", archivista.Upload),
            ("download", "download/<str:gitoid>", archivista.Download),
            ("query", "query", archivista.Question),
        )
    ),
    re_path(r"^archivista(?:/.*)?$", Nowhere.as_view()),
    path("log/checkpoint", log.Checkpoint.as_view(), name="checkpoint"),
    path("log/tile/entries/<path:place>", log.EntryBundle.as_view(), name="entry-bundle"),
    re_path(r"^log/tile/0[0-9]", Nowhere.as_view()),  # a number would be taken with zeros before it
    path("log/tile/<int:level>/<path:place>", log.HashTile.as_view(), name="hash-tile"),
    re_path(r"^log/tile(?:/.*)?$", Nowhere.as_view()),
    path("health/live", health.Live.as_view(), name="live"),
    path("health/ready", health.Ready.as_view(), name="ready"),
    re_path(r"^health(?:/.*)?$", Nowhere.as_view()),
    path("metrics", health.Metrics.as_view(), name="metrics"),
]
urlpatterns: list[URLPattern | URLResolver] = [path("", include((rooted, "api")))]
