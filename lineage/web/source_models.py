"""The page of one registered model of an MLflow server: its versions, its aliases, who was champion when."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from lineage.db.models import Source
from lineage.errors import NotFoundError
from lineage.services import registered_models
from lineage.web import observed
from lineage.web.pages import Page


class RegisteredModel(Page):
    """`?name=` stands for names that a path cannot carry, such as `..`."""

    section = "sources"
    template_name = "sources/model.html"

    def get(self, request: HttpRequest, source: str, model: str = "") -> HttpResponse:
        name = model or request.GET.get("name", "")
        if not name or "\0" in name + source:
            raise NotFoundError("No registered model is named here.")
        found = registered_models.model(source, name, self.as_of)
        followed = Source.objects.filter(name=source).exists()  # what was seen stays, also of a removed one
        return self.render(model=found, rows=observed.rows(found.observed), followed=followed)
