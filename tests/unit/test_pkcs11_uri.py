"""The URI of a token: read strictly, and no message repeats a PIN."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineage import config, pkcs11_uri
from lineage.errors import ConfigurationError
from lineage.pkcs11_uri import TokenUri

MODULE = "module-path=/usr/lib/softhsm/libsofthsm2.so"


def test_all_that_a_uri_says() -> None:
    found = pkcs11_uri.parse(
        f"pkcs11:token=My%20HSM;serial=12ab;object=lineage%2F01?{MODULE}&pin-source=file:/run/secrets/pin", ""
    )
    assert found == TokenUri(
        "/usr/lib/softhsm/libsofthsm2.so", "My HSM", "12ab", "lineage/01", Path("/run/secrets/pin")
    )


@pytest.mark.parametrize("source", ["file:/run/pin", "file:///run/pin", "/run/pin"])
def test_where_the_pin_is(source: str) -> None:
    assert pkcs11_uri.parse(f"pkcs11:token=t?{MODULE}&pin-source={source}", "").pin_source == Path("/run/pin")


def test_the_pin_is_never_shown() -> None:
    found = pkcs11_uri.parse(f"pkcs11:token=t?{MODULE}", "1234-secret")
    assert found.pin == "1234-secret"
    assert "1234-secret" not in repr(found)


@pytest.mark.parametrize(
    ("uri", "pin", "words"),
    [
        (f"pkcs11:?{MODULE}", "1", "named by its label"),
        (f"pkcs11:token=?{MODULE}", "1", "named by its label"),
        ("pkcs11:token=t", "1", "module-path"),
        ("pkcs11:token=t?module-path=libsofthsm2.so", "1", "absolute path"),
        (f"pkcs11:token=t?{MODULE}", "", "one of both"),
        (f"pkcs11:token=t?{MODULE}&pin-source=file:/p", "1", "one of both"),
        (f"pkcs11:token=t?{MODULE}&pin-source=|cat", "", "absolute path"),
        (f"pkcs11:token=t?{MODULE}&pin-source=file:p", "", "absolute path"),
        (f"pkcs11:token=t?{MODULE}&pin-value=1234-secret", "", "no PIN stands in the URI"),
        (f"pkcs11:token=t;token=u?{MODULE}", "1", "twice"),
        (f"pkcs11:token=t;slot-id=1?{MODULE}", "1", "slot-id"),
        (f"pkcs11:token?{MODULE}", "1", "expected"),
        (f"pkcs11:token=%ff?{MODULE}", "1", "no text"),
        (f"pkcs11:token=a%0ab?{MODULE}", "1", "no text"),
    ],
)
def test_a_wrong_uri_is_refused(uri: str, pin: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        pkcs11_uri.parse(uri, pin)
    assert "1234-secret" not in str(caught.value)


def test_the_setting_takes_a_folder_or_a_token(tmp_path: Path) -> None:
    pin = tmp_path / "pin"
    pin.write_text("1234\n")
    home = {"LINEAGE_HOME": str(tmp_path)}
    found = config.load(
        {**home, "LINEAGE_KEYS": f"pkcs11:token=t?{MODULE}", "LINEAGE_KEYS_PIN_FILE": str(pin)}
    )
    assert found.keys == tmp_path / "keys"
    assert found.key_token is not None
    assert (found.key_token.token, found.key_token.pin) == ("t", "1234")
    assert "1234" not in repr(found)
    folder = config.load({**home, "LINEAGE_KEYS": "/run/keys"})
    assert (folder.keys, folder.key_token) == (Path("/run/keys"), None)
    with pytest.raises(ConfigurationError, match="names none"):
        config.load({**home, "LINEAGE_KEYS_PIN": "1234"})
