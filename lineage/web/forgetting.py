"""The page of leaving and forgetting: what is held, how long things are kept, what was redacted, by whom.

Owns: what stands where, and reading what officers fill in. Does not own: redacting one entry, whose form is
on its own page (`attestation_pages`), or what may be decided (`services`).
"""

from __future__ import annotations

import json

import msgspec
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from lineage.db.configuration import User
from lineage.errors import ConflictError, LineageError, MalformedError, NotFoundError, TooLargeError
from lineage.services import forgetting_records, holds, retention
from lineage.services.decide import MAX_REASON
from lineage.services.receipts import Submitted
from lineage.trust import strictjson
from lineage.trust.forgetting_decisions import Hold, Retention, RetentionClass
from lineage.trust.identities import PREFIX
from lineage.web.pages import Page

MAX_TEXT = 1 << 17
EXAMPLE = [
    {"name": "what pipelines signed", "days": None, "kinds": ["attestation"]},
    {
        "name": "what was observed on MLflow",
        "days": 730,
        "predicateTypes": ["urn:lineage:predicate:mlflow-observation:v1"],
    },
]
_CLASSES = msgspec.json.Decoder(tuple[RetentionClass, ...])
_DONE = {
    "hold": "Nothing that it names is redacted from entry {} on.",
    "release": "The hold is released by entry {}.",
    "retention": "The policy is in force from entry {} on.",
}


class ForgettingPage(Page):
    section = "forgetting"
    template_name = "forgetting.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page()

    def post(self, request: HttpRequest) -> HttpResponse:
        if not self.person.may(User.Role.OFFICER):
            raise PermissionDenied("Officers decide what is held, and how long things are kept.")
        act = request.POST.get("act", "")
        try:
            done = self._decide(act)
        except (MalformedError, TooLargeError, ConflictError, NotFoundError) as error:
            return self._page(act, error)
        messages.success(request, _DONE[act].format(done.receipt.index))
        return redirect("forgetting")

    def _decide(self, act: str) -> Submitted:
        """Raises: MalformedError for what can't be read; what the decision itself raises."""
        given, person = self.request.POST, self.person.email
        reason = given.get("reason", "")
        if act == "hold":
            return holds.place(_hold(given.get("name", ""), reason, given.get("named", "")), person=person)
        if act == "release":
            number = given.get("hold", "")
            if not (number.isascii() and number.isdigit() and len(number) < 19):
                raise MalformedError("Say which hold is released.", where="hold")
            return holds.release(int(number), reason, person=person)
        if act == "retention":
            return retention.adopt(Retention(_classes(given.get("classes", "")), reason), person=person)
        raise MalformedError("There is no such decision.", where="act")

    def _page(self, act: str = "", error: LineageError | None = None) -> HttpResponse:
        found, given = forgetting_records.now(), self.request.POST
        return self.render(
            status=422 if error else 200,
            found=found,
            act=act,
            error=error,
            given={name: given.get(name, "") for name in ("name", "named", "hold", "reason")}
            if error
            else {},
            classes=given.get("classes", "") if act == "retention" and error else _written(found),
            example=json.dumps(EXAMPLE, indent=2),
            max_reason=MAX_REASON,
            may_decide=self.person.may(User.Role.OFFICER) and self.as_of.live,
        )


def _hold(name: str, reason: str, text: str) -> Hold:
    """A hold of what stands on the lines: digests, signers, predicate types, or the word `everything`."""
    if len(text) > MAX_TEXT:
        raise TooLargeError("That is too much for one hold.", limit=MAX_TEXT, where="named")
    lines = tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    if not lines:
        raise MalformedError("Say what is held, one on a line, or `everything`.", where="named")
    everything = lines == ("everything",)
    signers = tuple(line for line in lines if line.startswith(PREFIX) or _is_key(line))
    types = tuple(line for line in lines if "://" in line or line.startswith("urn:"))
    subjects = tuple(line for line in lines if line not in {*signers, *types})
    for line in () if everything else subjects:
        if ":" not in line:
            raise MalformedError(f"{line[:80]!r} is no digest, key id or predicate type.", where="named")
    return Hold(
        name,
        reason,
        subjects=() if everything else subjects,
        signers=signers,
        predicate_types=types,
        everything=everything,
    )


def _is_key(line: str) -> bool:
    return len(line) == 64 and set(line) <= set("0123456789abcdef")


def _classes(text: str) -> tuple[RetentionClass, ...]:
    if len(text) > MAX_TEXT:
        raise TooLargeError("The policy is too long.", limit=MAX_TEXT, where="classes")
    data = text.encode("utf-8", "surrogatepass")
    strictjson.check(data, what="policy")
    try:
        return _CLASSES.decode(data)
    except msgspec.DecodeError as error:
        raise strictjson.mismatch(error, "The policy can't be read") from None


def _written(found: forgetting_records.Forgetting) -> str:
    """The policy in force as the form has it."""
    if found.retention is None:
        return "[]"
    classes = [
        RetentionClass(each.name, each.days, each.kinds, each.predicate_types)  # type: ignore[arg-type]
        for each in found.retention.classes
    ]
    return json.dumps(msgspec.to_builtins(classes), indent=2, ensure_ascii=False)
