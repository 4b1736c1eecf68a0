"""Every endpoint with its method, who may call it, and what each way of being wrong is answered with.

A new address needs a row here, in `CALLS` (programs) or `PAGES` (people); then write docs/endpoints.md again:
`python -m tests.contract.endpoints > docs/endpoints.md`. Braces in a path name a thing of `things.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Needs = Literal[
    "anybody", "signed", "attest", "read", "check", "decide", "operate", "auditor", "officer", "operator"
]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one address. Numbers are HTTP statuses; 0: can't happen there.

    Attributes:
        name: of the URL pattern.
        needs: a scope of calls, the least role of pages, "anybody", or "signed" where the body proves itself.
        missing: for a well-formed name of something that is not there.
        malformed: for a name that can't be one.
        oversize: for a body over the limit.
        other: for a thing that somebody else owns; where nobody does, the role or scope decides alone.
    """

    name: str
    method: str
    path: str
    needs: Needs
    missing: int = 0
    malformed: int = 0
    oversize: int = 0
    other: int = 0

    @property
    def is_page(self) -> bool:
        return self.needs in {"auditor", "officer", "operator"}


def call(
    name: str, method: str, path: str, needs: Needs, missing: int = 0, malformed: int = 0, oversize: int = 0
) -> Endpoint:
    return Endpoint(f"api:{name}", method, f"/api/v1/{path}", needs, missing, malformed, oversize)


CALLS: tuple[Endpoint, ...] = (
    call("attestations", "POST", "attestations", "attest", oversize=413),
    call("attestations", "GET", "attestations", "read"),
    call("attestation", "GET", "attestations/{digest}", "read", 404, 400),
    call("envelope", "GET", "attestations/{digest}/envelope", "read", 404, 400),
    call("proof", "GET", "attestations/{digest}/proof", "read", 404, 400),
    call("nodes", "GET", "nodes", "read"),
    call("node", "GET", "nodes/{node}", "read", 404, 400),
    call("ancestors", "GET", "nodes/{node}/ancestors", "read", 404, 400),
    call("descendants", "GET", "nodes/{node}/descendants", "read", 404, 400),
    call("impact", "GET", "nodes/{node}/impact", "read", 404, 400),
    call("common-ancestors", "GET", "nodes/{node}/common-ancestors?with={node}", "read", 400, 400),
    call("checks", "GET", "nodes/{node}/checks", "read", 404, 400),
    call("checks", "POST", "nodes/{node}/checks", "check", 404, 400),
    call("gate", "GET", "nodes/{node}/gate", "read", 404, 404),
    call("completeness", "GET", "nodes/{node}/completeness", "read", 404, 404),
    call("node-export", "GET", "nodes/{node}/export", "read", 404, 400),
    call("observations", "GET", "nodes/{node}/observations", "read", 404, 400),
    call("paths", "GET", "paths?from={node}&to={node}", "read", 404, 400),
    call("difference", "GET", "difference?from={node}&to={node}", "read", 404, 400),
    call("changes", "GET", "changes", "read"),
    call("job", "GET", "jobs/{job}", "read", 404, 404),
    call("cypher", "POST", "graph/cypher", "operate", oversize=413),
    call("decisions", "GET", "decisions", "read"),
    call("decisions", "POST", "decisions", "decide", oversize=413),
    call("incidents", "GET", "incidents", "read"),
    call("incident", "GET", "incidents/{incident}", "read", 404, 404),
    call("tainted", "GET", "tainted", "read"),
    call("forgetting", "GET", "forgetting", "read"),
    call("keys", "GET", "keys", "read"),
    call("keys", "POST", "keys", "operate", oversize=413),
    call("key", "GET", "keys/{key}", "read", 404, 400),
    call("revoke", "POST", "keys/{key}/revoke", "operate", 404, 400, 413),
    call("rotate", "POST", "keys/{key}/rotate", "operate", 404, 400, 413),
    call("identities", "POST", "identities", "operate", oversize=413),
    call("roots", "GET", "roots", "read"),
    call("roots", "POST", "roots", "operate", oversize=413),
    call("revoke-root", "POST", "roots/{root}/revoke", "operate", 404, 400, 413),
    call("layouts", "GET", "layouts", "read"),
    call("layouts", "POST", "layouts", "operate", oversize=413),
    call("layout", "GET", "layouts/{layout}", "read", 404, 400),
    call("layout-withdraw", "POST", "layouts/{layout}/withdraw", "operate", 404, 400, 413),
    call("layout-verify", "GET", "layouts/{layout}/verify", "read", 404, 400),
    call("layout-verify", "POST", "layouts/{layout}/verify", "operate", 404, 400),  # larger bodies are right
    call("refusals", "GET", "refusals", "operate"),
    call("sources", "GET", "sources", "read"),
    call("sources", "POST", "sources", "operate", oversize=413),
    call("source", "GET", "sources/{source}", "read", 404, 404),
    call("source", "PATCH", "sources/{source}", "operate", 404, 404, 413),
    call("source", "DELETE", "sources/{source}", "operate", 404, 404),
    call("source-check", "POST", "sources/{source}/check", "operate", 404, 404),
    call("source-sync", "POST", "sources/{source}/sync", "operate", 404, 404),
    call("locations", "GET", "locations", "read"),
    call("locations", "POST", "locations", "operate", oversize=413),
    call("location", "GET", "locations/{location}", "read", 404, 404),
    call("location", "PATCH", "locations/{location}", "operate", 404, 404, 413),
    call("location", "DELETE", "locations/{location}", "operate", 404, 404),
    call("location-check", "POST", "locations/{location}/check", "operate", 404, 404),
    call("location-verify", "POST", "locations/{location}/verify", "check", 404, 404),
    call("subscriptions", "GET", "subscriptions", "decide"),
    call("subscriptions", "POST", "subscriptions", "decide", oversize=413),
    call("subscription", "GET", "subscriptions/{subscription}", "decide", 404, 404),
    call("subscription", "PATCH", "subscriptions/{subscription}", "decide", 404, 404, 413),
    call("subscription", "DELETE", "subscriptions/{subscription}", "decide", 404, 404),
    call("subscription-test", "POST", "subscriptions/{subscription}/test", "decide", 404, 404),
    call("proposals", "GET", "proposals", "read"),
    call("proposal", "GET", "proposals/{proposal}", "read", 404, 404),
    call("proposal-approve", "POST", "proposals/{proposal}/approve", "decide", 404, 404, 413),
    call("proposal-reject", "POST", "proposals/{proposal}/reject", "read", 404, 404, 413),
    call("mlflow-webhook", "POST", "interop/mlflow/{source}", "signed", 401, 401, 413),
    call("openlineage-event", "POST", "lineage", "attest", oversize=413),
    call("openlineage-batch", "POST", "lineage/batch", "attest", oversize=413),
    *(
        row
        for suffix, base in (("", "/archivista"), ("v1", "/archivista/v1"))
        for row in (
            Endpoint(f"api:archivista-upload{suffix}", "POST", f"{base}/upload", "attest", oversize=413),
            Endpoint(
                f"api:archivista-download{suffix}", "GET", f"{base}/download/{{gitoid}}", "read", 404, 404
            ),
            Endpoint(f"api:archivista-query{suffix}", "POST", f"{base}/query", "read", oversize=413),
        )
    ),
    Endpoint("api:schema", "GET", "/api/schema", "anybody"),
    Endpoint("api:docs", "GET", "/api/docs", "anybody"),
    Endpoint("api:checkpoint", "GET", "/log/checkpoint", "anybody"),
    Endpoint("api:entry-bundle", "GET", "/log/tile/entries/{tile}", "anybody", 404, 404),
    Endpoint("api:hash-tile", "GET", "/log/tile/0/{tile}", "anybody", 404, 404),
    Endpoint("api:live", "GET", "/health/live", "anybody"),
    Endpoint("api:ready", "GET", "/health/ready", "anybody"),
    Endpoint("api:metrics", "GET", "/metrics", "anybody"),
)

PAGES: tuple[Endpoint, ...] = (
    Endpoint("today", "GET", "/", "auditor"),
    Endpoint("models", "GET", "/models", "auditor"),
    Endpoint("datasets", "GET", "/datasets", "auditor"),
    Endpoint("runs", "GET", "/runs", "auditor"),
    Endpoint("hardware-list", "GET", "/hardware", "auditor"),
    Endpoint("attestations", "GET", "/attestations", "auditor"),
    Endpoint("changes", "GET", "/changes", "auditor"),
    Endpoint("attestation", "GET", "/attestations/{digest}", "auditor", 404, 400),
    Endpoint("attestation-consequences", "GET", "/attestations/{digest}/consequences", "auditor", 404, 400),
    Endpoint("attestation-withdraw", "POST", "/attestations/{digest}/withdraw", "officer", 404, 400, 413),
    Endpoint("attestation-redact", "POST", "/attestations/{digest}/redact", "officer", 404, 400, 413),
    Endpoint("attestation-envelope", "GET", "/attestations/{digest}/envelope", "auditor", 404, 400),
    Endpoint("attestation-key", "GET", "/attestations/{digest}/keys/{key}.pem", "auditor", 404, 400),
    Endpoint("keys", "GET", "/keys", "auditor"),
    Endpoint("key-new", "GET", "/keys/_new", "operator"),
    Endpoint("key-new", "POST", "/keys/_new", "operator", oversize=413),
    Endpoint("identity-new", "GET", "/keys/_identity", "operator"),
    Endpoint("identity-new", "POST", "/keys/_identity", "operator", oversize=413),
    Endpoint("key", "GET", "/keys/{key}", "auditor", 404, 404),
    Endpoint("key-revoke", "GET", "/keys/{key}/revoke", "operator", 404, 404),
    Endpoint("key-revoke", "POST", "/keys/{key}/revoke", "operator", 404, 404, 413),
    Endpoint("key-rotate", "GET", "/keys/{key}/rotate", "operator", 404, 404),
    Endpoint("key-rotate", "POST", "/keys/{key}/rotate", "operator", 404, 404, 413),
    Endpoint("roots", "GET", "/roots", "auditor"),
    Endpoint("roots", "POST", "/roots", "operator", oversize=413),
    Endpoint("root-revoke", "GET", "/roots/{root}/revoke", "operator", 404, 404),
    Endpoint("root-revoke", "POST", "/roots/{root}/revoke", "operator", 404, 404, 413),
    Endpoint("layouts", "GET", "/layouts", "auditor"),
    Endpoint("layout-new", "GET", "/layouts/_new", "operator"),
    Endpoint("layout-new", "POST", "/layouts/_new", "operator", oversize=413),
    Endpoint("layout", "GET", "/layouts/{layout}", "auditor", 404, 400),
    Endpoint("layout-verdict", "GET", "/layouts/{layout}/verdicts/{verdict}", "auditor", 404, 400),
    Endpoint("layout-act", "POST", "/layouts/{layout}/withdraw", "operator", 404, 400, 413),
    Endpoint("log", "GET", "/log", "auditor"),
    Endpoint("jobs", "GET", "/jobs", "auditor"),
    Endpoint("audit-now", "POST", "/system/audit", "operator", oversize=413),
    Endpoint("job-retry", "POST", "/jobs/{job}/retry", "operator", 404, 404, 413),
    Endpoint("search", "GET", "/search?q=a", "auditor"),
    Endpoint("sources", "GET", "/sources", "auditor"),
    Endpoint("source-new", "GET", "/sources/_new", "operator"),
    Endpoint("source-new", "POST", "/sources/_new", "operator", oversize=413),
    Endpoint("source", "GET", "/sources/{source}", "auditor", 404, 404),
    Endpoint("source-edit", "GET", "/sources/{source}/edit", "operator", 404, 404),
    Endpoint("source-edit", "POST", "/sources/{source}/edit", "operator", 404, 404, 413),
    Endpoint("source-act", "POST", "/sources/{source}/pause", "operator", 404, 404, 413),
    Endpoint("source-model-named", "GET", "/sources/{source}/models/?name=m", "auditor", 404, 404),
    Endpoint("source-model", "GET", "/sources/{source}/models/m", "auditor", 404, 404),
    Endpoint("subscriptions", "GET", "/subscriptions", "officer"),
    Endpoint("subscriptions", "POST", "/subscriptions", "officer", oversize=413),
    Endpoint("subscription-act", "POST", "/subscriptions/{subscription}/pause", "officer", 404, 404, 413),
    Endpoint("locations", "GET", "/locations", "auditor"),
    Endpoint("location-new", "GET", "/locations/_new", "operator"),
    Endpoint("location-new", "POST", "/locations/_new", "operator", oversize=413),
    Endpoint("location", "GET", "/locations/{location}", "auditor", 404, 404),
    Endpoint("location-edit", "GET", "/locations/{location}/edit", "operator", 404, 404),
    Endpoint("location-edit", "POST", "/locations/{location}/edit", "operator", 404, 404, 413),
    Endpoint("location-act", "POST", "/locations/{location}/pause", "operator", 404, 404, 413),
    Endpoint("check-policy", "GET", "/check-policy", "auditor"),
    Endpoint("check-policy", "POST", "/check-policy", "officer", oversize=413),
    Endpoint("forgetting", "GET", "/forgetting", "auditor"),
    Endpoint("forgetting", "POST", "/forgetting", "officer", oversize=413),
    Endpoint("system", "GET", "/system", "auditor"),
    Endpoint("refusals", "GET", "/refusals", "operator"),
    Endpoint("cypher", "GET", "/graph/cypher", "operator"),
    Endpoint("cypher", "POST", "/graph/cypher", "operator", oversize=413),
    Endpoint("accesses", "GET", "/accesses", "operator"),
    Endpoint("tokens", "GET", "/tokens", "auditor"),
    Endpoint("tokens", "POST", "/tokens", "operator", oversize=413),
    Endpoint("token-rotate", "POST", "/tokens/{prefix}/rotate", "auditor", 403, 404, 413, 403),
    Endpoint("token-revoke", "POST", "/tokens/{prefix}/revoke", "auditor", 403, 404, 413, 403),
    Endpoint("artifact", "GET", "/artifacts/{node}", "auditor", 404, 404),
    Endpoint("artifact-verify", "POST", "/artifacts/{node}/verify", "officer", 404, 404, 413),
    Endpoint("artifact-checking", "GET", "/artifacts/{node}/checking", "auditor", 404, 404),
    Endpoint("artifact-decide", "GET", "/artifacts/{node}/decide/criticality", "officer", 404, 404),
    Endpoint("artifact-decide", "POST", "/artifacts/{node}/decide/criticality", "officer", 404, 404, 413),
    Endpoint("node-decide", "GET", "/nodes/{node}/decide/incident", "officer", 404, 404),
    Endpoint("node-decide", "POST", "/nodes/{node}/decide/incident", "officer", 404, 404, 413),
    Endpoint("incidents", "GET", "/incidents", "auditor"),
    Endpoint("incident", "GET", "/incidents/{incident}", "auditor", 404, 404),
    Endpoint("incident-close", "GET", "/incidents/{incident}/close", "officer", 404, 404),
    Endpoint("incident-close", "POST", "/incidents/{incident}/close", "officer", 404, 404, 413),
    Endpoint("tainted", "GET", "/tainted", "auditor"),
    Endpoint("run", "GET", "/runs/{run}", "auditor", 404, 404),
    Endpoint("node", "GET", "/nodes/{node}", "auditor", 404, 404),
    Endpoint("completeness", "GET", "/completeness/{node}", "auditor", 404, 404),
    Endpoint("compare", "GET", "/compare/{node}", "auditor", 404, 404),
    Endpoint("in-common", "GET", "/compare/{node}/common", "auditor", 404, 404),
    Endpoint("impact", "GET", "/impact/{node}", "auditor", 404, 404),
    Endpoint("model-lineage", "GET", "/models/{node}/lineage", "auditor", 404, 404),
    Endpoint("model-lineage-all", "GET", "/models/{node}/lineage/all", "auditor", 404, 404),
    Endpoint("proposals", "GET", "/proposals", "auditor"),
    Endpoint("proposal-act", "POST", "/proposals/{proposal}/approve", "auditor", 404, 404, 413, 403),
    Endpoint("mfa_index", "GET", "/accounts/2fa/", "auditor"),
    Endpoint("mfa_totp_qr", "GET", "/accounts/2fa/totp/qr/", "anybody"),
    Endpoint("mfa_authenticate", "GET", "/accounts/2fa/authenticate/", "anybody"),
    Endpoint("mfa_reauthenticate", "GET", "/accounts/2fa/reauthenticate/", "auditor"),
    Endpoint("mfa_activate_totp", "GET", "/accounts/2fa/totp/activate/", "auditor"),
    Endpoint("mfa_activate_totp", "POST", "/accounts/2fa/totp/activate/", "auditor", oversize=413),
    Endpoint("mfa_deactivate_totp", "POST", "/accounts/2fa/totp/deactivate/", "auditor", oversize=413),
    Endpoint("mfa_view_recovery_codes", "GET", "/accounts/2fa/recovery-codes/", "auditor"),
    Endpoint("mfa_generate_recovery_codes", "POST", "/accounts/2fa/recovery-codes/generate/", "auditor"),
    Endpoint("mfa_download_recovery_codes", "GET", "/accounts/2fa/recovery-codes/download/", "auditor"),
    Endpoint("mfa_list_webauthn", "GET", "/accounts/2fa/webauthn/", "auditor"),
    Endpoint("mfa_add_webauthn", "POST", "/accounts/2fa/webauthn/add/", "auditor", oversize=413),
    Endpoint("mfa_reauthenticate_webauthn", "POST", "/accounts/2fa/webauthn/reauthenticate/", "auditor"),
    Endpoint("mfa_remove_webauthn", "POST", "/accounts/2fa/webauthn/keys/1/remove/", "auditor"),
    Endpoint("mfa_edit_webauthn", "POST", "/accounts/2fa/webauthn/keys/1/edit/", "auditor"),
    Endpoint("mfa_login_webauthn", "GET", "/accounts/2fa/webauthn/login/", "anybody"),
    Endpoint("account_reauthenticate", "POST", "/accounts/reauthenticate/", "auditor", oversize=413),
    Endpoint("sso_login", "GET", "/accounts/sso/login/", "anybody"),
    Endpoint("sso_callback", "GET", "/accounts/sso/callback/", "anybody"),
    Endpoint("account_change_password", "GET", "/accounts/password/change/", "auditor"),
    Endpoint("account_change_password", "POST", "/accounts/password/change/", "auditor", oversize=413),
    Endpoint("account_login", "GET", "/accounts/login/", "anybody"),
    Endpoint("account_login", "POST", "/accounts/login/", "anybody", oversize=413),
    Endpoint("account_logout", "GET", "/accounts/logout/", "anybody"),
    Endpoint("account_logout", "POST", "/accounts/logout/", "anybody", oversize=413),
    Endpoint("account_inactive", "GET", "/accounts/inactive/", "anybody"),
)


def table() -> str:
    """docs/endpoints.md."""
    return "\n".join([HEAD, *_section("Programs", CALLS), *_section("People", PAGES)]) + "\n"


HEAD = """# Endpoints and who may call them

Written by `python -m tests.contract.endpoints`; `tests/contract/test_endpoints.py` holds every row to it, and
fails where an address has none. A dash: that can't happen there. Nobody owns a node, a key or a source: there
the role or the scope decides alone, and *somebody else's* is a dash.

Beside what a row says: a method that an address doesn't have is 405; on everything that changes something, a
session without its CSRF token is 403."""


def _section(title: str, rows: Iterable[Endpoint]) -> list[str]:
    columns = ("method", "address", "needs", "nobody", "wrong role or scope", "not there", "no such name",
               "body too large", "somebody else's")  # fmt: skip
    lines = ["", f"## {title}", "", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for row in rows:
        numbers = (nobody(row), wrong(row), row.missing, row.malformed, row.oversize, row.other)
        told = " | ".join(str(number) if number else "-" for number in numbers)
        lines.append(f"| {row.method} | `{row.path}` | {row.needs} | {told} |")
    return lines


def nobody(row: Endpoint) -> int:
    """For whoever shows no key and has no session. People are sent to the page on which they sign in."""
    if row.needs == "anybody":
        return 0
    return 302 if row.is_page else 401


def wrong(row: Endpoint) -> int:
    """For a key with every scope but the right one, or the role just below; auditors are the least."""
    return 0 if row.needs in {"anybody", "signed", "auditor"} else 403


if __name__ == "__main__":
    print(table(), end="")
