"""Which witnesses are asked to cosign checkpoints: `LINEAGE_WITNESSES`, `verifier-key url`, by commas.

Owns: the setting's form. Does not own: asking (`services.witnesses`).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from lineage.errors import ConfigurationError, MalformedError

NAME = "LINEAGE_WITNESSES"
MOST = 16


@dataclass(frozen=True, slots=True)
class Witness:
    """`verifier_key` is `name+hash+base64` of type 4; `url` its submission prefix, without a last slash."""

    verifier_key: str
    url: str

    @property
    def name(self) -> str:
        return self.verifier_key.split("+", 1)[0]

    @property
    def key_hash(self) -> str:
        """Eight hex digits."""
        return self.verifier_key.split("+", 2)[1]

    @property
    def key(self) -> str:
        """By which its state is kept."""
        return f"{self.name}+{self.key_hash}"


def read(text: str) -> tuple[Witness, ...]:
    """Raises: ConfigurationError for another form, a key that is none, or a witness named twice."""
    found = [_one(part.split()) for part in text.split(",") if part.strip()]
    if len(found) > MOST:
        raise ConfigurationError(f"{NAME}: at most {MOST} witnesses are asked")
    if len({each.key for each in found}) < len(found):
        raise ConfigurationError(f"{NAME}: a witness is named twice")
    return tuple(found)


def _one(words: list[str]) -> Witness:
    # Imported here: most installations name no witness, and whoever asks for help waits for no cryptography.
    from lineage.trust import cosignature

    if len(words) != 2:
        raise ConfigurationError(f"{NAME}: expected `verifier-key url`, entries separated by commas")
    try:
        cosignature.parse_witness_key(words[0])
    except MalformedError as error:
        raise ConfigurationError(f"{NAME}: {error.message}") from error
    try:
        url = urlsplit(words[1])
        good = url.scheme in {"http", "https"} and url.hostname and (url.port is None or url.port > 0)
    except ValueError:
        good = False
    if not good or "@" in url.netloc or url.query or url.fragment or not words[1].isascii():
        raise ConfigurationError(
            f"{NAME}: expected http(s)://host[:port][/prefix] of {words[0].split('+')[0]}"
        )
    return Witness(words[0], words[1].rstrip("/"))
