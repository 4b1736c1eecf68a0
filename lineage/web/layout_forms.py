"""The forms about layouts.

Owns: labels, help, and taking files and keys apart. Does not own: what is wrong with them.
"""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

from lineage.errors import MalformedError, TooLargeError
from lineage.services.layout_handed import MAX_HANDED_BYTES, Handed
from lineage.trust.layouts_metadata import MAX_BYTES
from lineage.web.key_forms import Refusable, _line, _text

_PEM = re.compile(r"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----", re.DOTALL)


class Files(forms.FileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """None, one or several files; its value is their list."""

    widget = Files(attrs={"multiple": True})

    def clean(self, data: Any, initial: Any = None) -> Any:
        return [super(FilesField, self).clean(each, initial) for each in data or ()]


class LayoutForm(Refusable):
    """A layout to adopt."""

    name = _line("Name", "What it is called on pages")
    layout = forms.FileField(label="Layout", help_text="The signed file: classic (Metablock) or DSSE")
    owners = _text(
        "Owners' public keys", "PEM, one PUBLIC KEY block an owner. Each has to have signed it", rows=6
    )
    reason = _line("Reason", "Why it counts here")

    def content(self) -> bytes:
        """The file's bytes. Raises: TooLargeError."""
        return _read(self.cleaned_data["layout"], MAX_BYTES, "layout")

    def keys(self) -> list[bytes]:
        """Each PEM block. Raises: MalformedError where there is none."""
        found = _PEM.findall(self.cleaned_data["owners"])
        if not found:
            raise MalformedError("There is no PEM block in it.", where="owners")
        return [block.encode() for block in found]


class QuestionForm(Refusable):
    """An artifact to check."""

    artifact = _line("Artifact", "Its key, such as sha256:…, as on its page")
    links = FilesField(
        label="Links that are not in the log",
        help_text="Classic links and sublayouts, several at once. They become part of the entry",
        required=False,
    )

    def handed(self) -> list[Handed]:
        """What was handed in. Raises: TooLargeError."""
        files: list[UploadedFile[bytes]] = self.cleaned_data["links"]
        return [Handed(file.name or "file", _read(file, MAX_HANDED_BYTES, "links")) for file in files]


class WithdrawalForm(Refusable):
    """Why a layout is ended."""

    reason = _line("Reason", "Shown wherever the layout is")


def _read(file: UploadedFile[bytes], limit: int, where: str) -> bytes:
    if (file.size or 0) > limit:
        raise TooLargeError(f"A file has at most {limit:,} bytes.", limit=limit, where=where)
    return bytes(file.read())
