"""What the ORM fields that hide a stored form share: text in Python, something shorter in the database.

Owns: that a migration sees a plain column of the framework's. Does not own: any form (`digest_fields`,
`numbered_fields`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models

if TYPE_CHECKING:
    _Text = models.Field[str, str]
else:
    _Text = models.Field


class HiddenField(_Text):
    """Text in Python. `stored`: the framework's field whose column it lies in."""

    stored: ClassVar[type[models.Field[Any, Any]]]

    def get_internal_type(self) -> str:
        return self.stored.__name__

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        name, _, args, kwargs = super().deconstruct()
        return name, f"django.db.models.{self.stored.__name__}", args, kwargs
