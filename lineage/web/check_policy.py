"""The page of the check policy: what is in force, in words, who decided it, and a form for officers.

Owns: what stands where. Does not own: the policy's form (`graph.check_policy`), or its words
(`services.policy_words`).
"""

from __future__ import annotations

import json

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from lineage.db.configuration import User
from lineage.errors import ConflictError, LineageError, MalformedError, TooLargeError
from lineage.graph import check_policy
from lineage.services import decide_checks, policy_records, policy_words
from lineage.web.json_lines import line_of
from lineage.web.pages import Page

MAX_TEXT = 1 << 20
EXAMPLE = {
    "default": {"full": "30d"},
    "rules": [
        {
            "name": "what decides about people",
            "every": {"quick": "1h", "content": "1d", "full": "7d"},
            "roles": ["model"],
            "criticality": ["critical", "high"],
            "locations": ["s3://models/prod"],
        }
    ],
    "limits": [
        {
            "location": "s3://models",
            "bytesPerSecond": 50_000_000,
            "concurrency": 2,
            "quietHours": ["08:00-18:00"],
        }
    ],
}


class CheckPolicyPage(Page):
    section = "check-policy"
    template_name = "check_policy.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page()

    def post(self, request: HttpRequest) -> HttpResponse:
        if not self.person.may(User.Role.OFFICER):
            raise PermissionDenied("A check policy is decided by officers.")
        text = request.POST.get("policy", "")
        try:
            if len(text) > MAX_TEXT:
                raise TooLargeError("The policy is too long.", limit=MAX_TEXT)
            policy = check_policy.parse(text.encode("utf-8", "surrogatepass"))
            done = decide_checks.set_check_policy(policy, person=self.person.email)
        except (MalformedError, TooLargeError, ConflictError) as error:
            return self._page(text, error)
        messages.success(request, f"The policy is in force from entry {done.receipt.index} on.")
        return redirect("check-policy")

    def _page(self, text: str = "", error: LineageError | None = None) -> HttpResponse:
        record = policy_records.current() if self.as_of.live else policy_records.at(self.as_of)
        line = line_of(text, error.where) if error and error.where else None
        lines = text.splitlines()
        return self.render(
            status=422 if error else 200,
            policy=record,
            methods=[(name, policy_words.METHODS[name]) for name in reversed(check_policy.METHODS)],
            default=policy_words.schedule(check_policy.DEFAULT.default),
            text=text if error else json.dumps(record.body, indent=2, ensure_ascii=False),
            example=json.dumps(EXAMPLE, indent=2),
            error=error,
            line=line,
            excerpt=lines[line - 1].strip()[:200] if line and line <= len(lines) else "",
            may_decide=self.person.may(User.Role.OFFICER) and self.as_of.live,
        )
