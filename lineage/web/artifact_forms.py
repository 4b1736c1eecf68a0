"""Forms of decisions about one thing: what an officer types, and what is wrong with it beside its field.

Owns: labels, help, what goes together. Does not own: what is wrong with one value, or deciding
(`services.decide_checks`, which is asked).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from django import forms

from lineage.errors import LineageError
from lineage.graph.check_policy import LEVELS
from lineage.services import decide_checks, decide_incidents, decide_taint
from lineage.services.decide import MAX_REASON
from lineage.services.receipts import Submitted
from lineage.trust.artifact_decisions import ADD_LOCATION, CRITICALITY, WAIVE, WITHDRAW_LOCATION
from lineage.trust.incident_decisions import INCIDENT, MAX_OWNER, MAX_TITLE, SEVERITIES
from lineage.trust.taint_decisions import CLEAR, DESIGNATE, MAX_INCIDENT, WAIVE_TAINT

FINDING = decide_checks.FINDINGS[0]


class DecisionForm(forms.Form):
    """What all of them have. `submit` of each takes the decision in somebody's name, after `is_valid`.

    It raises LineageError, whose `where` names a field.
    """

    reason = forms.CharField(
        max_length=MAX_REASON,
        label="Reason",
        help_text="One line. It stands in the log beside your name, for whoever audits this",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    field_order: tuple[str, ...] = ()

    def refuse(self, error: LineageError) -> None:
        """Put what the service found wrong beside its field."""
        words = f"{error.message} {error.hint}".strip()
        self.add_error(error.where if error.where in self.fields else None, words)


def _location(help_text: str, **attributes: str) -> forms.CharField:
    return forms.CharField(
        max_length=decide_checks.MAX_LOCATION_BYTES,
        label="Location",
        help_text=help_text,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", **attributes}),
    )


class AddLocation(DecisionForm):
    location = _location("Such as file:///srv/models/a.gguf or s3://models/a.gguf, in one of these storages")
    field_order = ("location", "reason")

    def submit(self, key: str, person: str) -> Submitted:
        said = self.cleaned_data
        return decide_checks.add_location(key, said["location"], said["reason"], person=person)


class WithdrawLocation(DecisionForm):
    location = _location("From where it is withdrawn", readonly="readonly")
    field_order = ("location", "reason")

    def submit(self, key: str, person: str) -> Submitted:
        said = self.cleaned_data
        return decide_checks.withdraw_location(key, said["location"], said["reason"], person=person)


def _last_day(help_text: str) -> forms.DateField:
    return forms.DateField(
        required=False,
        label="Last day",
        help_text=help_text,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )


def _end_of(day: date | None) -> int | None:
    """The end of that day, UTC, in µs; None for none."""
    if day is None:
        return None
    end = datetime.combine(day, time(tzinfo=UTC)) + timedelta(days=1)
    return round(end.timestamp()) * 1_000_000


class Waive(DecisionForm):
    until = _last_day("To the end of that day, UTC. Then it counts again")
    for_ever = forms.BooleanField(required=False, label="For ever")
    field_order = ("until", "for_ever", "reason")

    def clean(self) -> None:
        if bool(self.cleaned_data.get("until")) == self.cleaned_data.get("for_ever", False):
            self.add_error("until", "Name the last day, or say that it is for ever; not both.")

    def submit(self, key: str, person: str) -> Submitted:
        said = self.cleaned_data
        return decide_checks.waive(key, FINDING, self._until_us(), said["reason"], person=person)

    def _until_us(self) -> int | None:
        return _end_of(self.cleaned_data["until"])


class Criticality(DecisionForm):
    level = forms.ChoiceField(
        choices=[(level, level.capitalize()) for level in LEVELS],
        label="Criticality",
        help_text="Rules of the check policy may go by it",
    )
    field_order = ("level", "reason")

    def submit(self, key: str, person: str) -> Submitted:
        said = self.cleaned_data
        return decide_checks.set_criticality(key, said["level"], said["reason"], person=person)


class Designate(DecisionForm):
    incident = forms.CharField(
        required=False,
        max_length=MAX_INCIDENT,
        label="Incident",
        help_text="What people call what this belongs to, such as its number. It may be empty",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    until = _last_day("To the end of that day, UTC. Without one it is bad until somebody clears it")
    field_order = ("incident", "until", "reason")

    def submit(self, key: str, person: str) -> Submitted:
        said = self.cleaned_data
        until_us, incident = _end_of(said["until"]), said["incident"]
        return decide_taint.designate(
            key, said["reason"], person=person, until_us=until_us, incident=incident
        )


class Clear(DecisionForm):
    def submit(self, key: str, person: str) -> Submitted:
        return decide_taint.clear(key, self.cleaned_data["reason"], person=person)


class WaiveTaint(Waive):
    def submit(self, key: str, person: str) -> Submitted:
        return decide_taint.waive_taint(key, self._until_us(), self.cleaned_data["reason"], person=person)


class OpenIncident(DecisionForm):
    title = forms.CharField(
        max_length=MAX_TITLE,
        label="Title",
        help_text="What people call it",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    severity = forms.ChoiceField(
        choices=[(each, each.capitalize()) for each in SEVERITIES], initial="high", label="Severity"
    )
    owner = forms.CharField(
        required=False,
        max_length=MAX_OWNER,
        label="Owner",
        help_text="Who looks after it. It may be empty",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    until = _last_day(
        "To the end of that day, UTC; then it ends by itself. Without one it is open until closed"
    )
    designates = forms.BooleanField(
        required=False, label="It is bad from now on: all that came of it is tainted"
    )
    field_order = ("title", "severity", "owner", "until", "designates", "reason")

    def submit(self, key: str, person: str) -> Submitted:
        said = self.cleaned_data
        return decide_incidents.open_incident(
            key,
            said["title"],
            said["severity"],
            said["reason"],
            person=person,
            owner=said["owner"],
            until_us=_end_of(said["until"]),
            designates=said["designates"],
        )


class CloseIncident(DecisionForm):
    clears = forms.BooleanField(required=False, label="It is designated as bad no longer")
    reason = forms.CharField(
        max_length=MAX_REASON,
        label="What came of it",
        help_text="One line. It stands in the log beside your name, and subscribers read it",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    field_order = ("clears", "reason")

    def submit(self, key: str, person: str) -> Submitted:
        """`key` is the incident's name."""
        said = self.cleaned_data
        return decide_incidents.close_incident(key, said["reason"], person=person, clears=said["clears"])


AnyForm = AddLocation | WithdrawLocation | Waive | Criticality | Designate | Clear | WaiveTaint | OpenIncident
FORMS: dict[str, type[AnyForm]] = {
    ADD_LOCATION: AddLocation,
    WITHDRAW_LOCATION: WithdrawLocation,
    WAIVE: Waive,
    CRITICALITY: Criticality,
    DESIGNATE: Designate,
    CLEAR: Clear,
    WAIVE_TAINT: WaiveTaint,
    INCIDENT: OpenIncident,
}
"""By action, as in an address and in the log."""
