"""The platform's keys in a PKCS#11 token: SoftHSM, really."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pkcs11
import pytest
from pkcs11 import Attribute, ObjectClass

from lineage import pkcs11_uri
from lineage.errors import ConfigurationError, UnavailableError
from lineage.services import token_session
from lineage.services.key_files import ROLES, KeyFolder
from lineage.services.key_token import KeyToken
from lineage.trust.keys import PrivateKey
from tests import softhsm
from tests.softhsm import SoftToken

pytestmark = pytest.mark.service


@pytest.fixture
def token(tmp_path: Path) -> Iterator[SoftToken]:
    made = softhsm.make(tmp_path / "hsm")
    with softhsm.seen(made):
        yield made


def opened(token: SoftToken, folder: Path, **more: str) -> KeyToken:
    return KeyToken(pkcs11_uri.parse(token.uri(**more), ""), folder)


def session(keys: KeyToken) -> pkcs11.Session:
    return keys._session.use(lambda found: found)


def test_keys_are_made_once_and_sign(token: SoftToken, tmp_path: Path) -> None:
    keys = opened(token, tmp_path / "keys")
    keys.create_missing()
    origin = keys.origin()
    assert origin.startswith("lineage/")
    ids = {}
    for role in ROLES:
        (key,) = keys.held(role)
        assert key.public.algorithm == "ed25519"
        assert key.public.verify(b"a message", key.sign(b"a message"))
        assert not key.public.verify(b"another", key.sign(b"a message"))
        ids[role] = key.public.key_id
    assert len(set(ids.values())) == 4
    assert not (tmp_path / "keys").exists()
    again = opened(token, tmp_path / "keys")
    again.create_missing()
    assert again.origin() == origin
    assert {role: key.public.key_id for role in ROLES for key in again.held(role)} == ids


def test_private_keys_never_leave(token: SoftToken, tmp_path: Path) -> None:
    keys = opened(token, tmp_path / "keys")
    keys.create_missing()
    for each in list(session(keys).get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY})):
        assert (each[Attribute.SENSITIVE], each[Attribute.EXTRACTABLE]) == (True, False)
        with pytest.raises(pkcs11.PKCS11Error):
            each[Attribute.VALUE]


def test_a_token_without_ed25519_has_ecdsa_and_the_logs_key_is_a_file(tmp_path: Path) -> None:
    made = softhsm.make(tmp_path / "hsm", without="CKM_EC_EDWARDS_KEY_PAIR_GEN,CKM_EDDSA")
    with softhsm.seen(made):
        keys = opened(made, tmp_path / "keys")
        keys.create_missing()
        algorithms = {role: [key.public.algorithm for key in keys.held(role)] for role in ROLES}
        assert algorithms == {
            "log": ["ed25519"],
            "platform": ["ecdsa-p256"],
            "collector": ["ecdsa-p256"],
            "reverifier": ["ecdsa-p256"],
        }
        (platform,) = keys.held("platform")
        assert platform.public.verify(b"a message", platform.sign(b"a message"))
        assert {path.name for path in (tmp_path / "keys").iterdir()} == {"log.pem"}
        assert KeyFolder(tmp_path / "keys").origin() == keys.origin()
        waiting = keys.make_next("log", keys.origin(), lambda _: False)
        assert isinstance(waiting, PrivateKey)


def test_the_next_key_waits_until_the_log_has_it(token: SoftToken, tmp_path: Path) -> None:
    keys = opened(token, tmp_path / "keys")
    keys.create_missing()
    (old,) = keys.held("platform")
    known = {old.public.key_id}
    first = keys.make_next("platform", keys.origin(), known.__contains__)
    assert keys.make_next("platform", keys.origin(), known.__contains__).public == first.public != old.public
    known.add(first.public.key_id)
    assert keys.make_next("platform", keys.origin(), known.__contains__).public not in (
        first.public,
        old.public,
    )
    assert len(keys.held("platform")) == 3


def close(keys: KeyToken) -> None:
    session(keys).close()


def finalize(keys: KeyToken) -> None:
    pkcs11.lib(keys._uri.module).finalize()


def log_out(keys: KeyToken) -> None:
    other = session(keys).token.open()
    other.close()


# The package looks at a search that failed once more when it is forgotten.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("lose", [close, finalize, log_out])
def test_a_lost_session_is_opened_again(
    lose: Callable[[KeyToken], None], token: SoftToken, tmp_path: Path
) -> None:
    keys = opened(token, tmp_path / "keys")
    keys.create_missing()
    (key,) = keys.held("log")
    lose(keys)
    assert key.public.verify(b"m", key.sign(b"m"))
    assert [each.public for each in keys.held("log")] == [key.public]


def test_many_threads_sign_with_one_session(token: SoftToken, tmp_path: Path) -> None:
    keys = opened(token, tmp_path / "keys")
    keys.create_missing()
    failed: list[str] = []

    def work(role: str) -> None:
        (key,) = keys.held(role)
        for number in range(20):
            message = f"{role} {number}".encode()
            if not key.public.verify(message, key.sign(message)):
                failed.append(role)

    threads = [threading.Thread(target=work, args=(role,)) for role in (*ROLES, *ROLES)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert failed == []


def test_a_forked_process_has_a_session_of_its_own(token: SoftToken, tmp_path: Path) -> None:
    keys = opened(token, tmp_path / "keys")
    keys.create_missing()
    (key,) = keys.held("log")
    key.sign(b"before")
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            code = 2  # whatever happens, this process must not go on as a second one of the tests
            try:
                code = 0 if key.public.verify(b"m", key.sign(b"m")) else 1
            finally:
                os._exit(code)
        children.append(child)
    assert key.public.verify(b"m", key.sign(b"m"))
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    assert key.public.verify(b"m", key.sign(b"m"))


def test_a_token_that_is_connected_later_is_found(token: SoftToken, tmp_path: Path) -> None:
    keys = opened(token, tmp_path / "keys")
    keys.create_missing()
    away = tmp_path / "away"
    tokens = token.folder / "tokens"
    token_session.session(pkcs11_uri.parse(token.uri(), ""))._drop()
    tokens.rename(away)
    tokens.mkdir()
    looked = [each.label for each in pkcs11.lib(token.module).get_tokens()]
    assert token.label not in looked, "the library saw an empty slot alone"
    tokens.rmdir()
    away.rename(tokens)
    (key,) = opened(token, tmp_path / "keys").held("log")
    assert key.public.verify(b"m", key.sign(b"m"))


# What is wrong is said.


def test_a_missing_library_is_named(token: SoftToken, tmp_path: Path) -> None:
    uri = pkcs11_uri.parse(f"pkcs11:token=x?module-path={tmp_path}/none.so", "1234")
    with pytest.raises(ConfigurationError, match=r"none\.so can't be loaded") as caught:
        KeyToken(uri, tmp_path).create_missing()
    assert "module-path" in caught.value.hint


def test_a_missing_token_is_named_with_those_that_are_there(token: SoftToken, tmp_path: Path) -> None:
    uri = pkcs11_uri.parse(f"pkcs11:token=other?module-path={token.module}", "1234")
    with pytest.raises(ConfigurationError, match="does not show the token other") as caught:
        KeyToken(uri, tmp_path).create_missing()
    assert token.label in caught.value.hint
    uri = pkcs11_uri.parse(token.uri(path=";serial=0123"), "")
    with pytest.raises(ConfigurationError, match="serial number 0123"):
        KeyToken(uri, tmp_path).create_missing()


def test_a_wrong_pin_is_said_once_and_never_shown(token: SoftToken, tmp_path: Path) -> None:
    token.pin_file.write_text("wrong-secret\n")
    with pytest.raises(ConfigurationError, match="is wrong or has expired") as caught:
        opened(token, tmp_path).create_missing()
    assert str(token.pin_file) in caught.value.hint
    assert "wrong-secret" not in str(caught.value) + caught.value.hint
    token.pin_file.unlink()
    with pytest.raises(ConfigurationError, match="can't be read"):
        opened(token, tmp_path).create_missing()


def test_a_missing_object_is_named(token: SoftToken, tmp_path: Path) -> None:
    keys = opened(token, tmp_path / "keys")
    with pytest.raises(ConfigurationError, match="no keys of a log"):
        keys.origin()
    keys.create_missing()
    (key,) = keys.held("collector")
    with session(keys).token.open(rw=True) as writing:
        for each in list(writing.get_objects({Attribute.LABEL: f"{keys.origin()} collector"})):
            each.destroy()
    with pytest.raises(ConfigurationError, match=r"There is no object 'lineage/.* collector'"):
        keys.held("collector")
    with pytest.raises(UnavailableError, match="no longer on the token"):
        key.sign(b"m")


def test_keys_of_several_logs_in_one_token_are_told_apart(token: SoftToken, tmp_path: Path) -> None:
    first = opened(token, tmp_path / "a", path=";object=lineage%2Fa")
    second = opened(token, tmp_path / "b", path=";object=lineage%2Fb")
    first.create_missing()
    second.create_missing()
    assert (first.origin(), second.origin()) == ("lineage/a", "lineage/b")
    assert first.held("log")[0].public != second.held("log")[0].public
    with pytest.raises(ConfigurationError, match="several logs: lineage/a, lineage/b") as caught:
        opened(token, tmp_path / "c").origin()
    assert "object=lineage%2Fa" in caught.value.hint


def test_keys_that_came_as_files_are_found_beside_the_token(token: SoftToken, tmp_path: Path) -> None:
    files = KeyFolder(tmp_path / "keys")
    files.create_missing()
    keys = opened(token, tmp_path / "keys")
    keys.create_missing()
    assert keys.origin() == files.origin()
    assert [key.public for key in keys.held("platform")] == [key.public for key in files.held("platform")]
    new = keys.make_next("platform", keys.origin(), lambda key_id: True)
    assert [key.public for key in keys.held("platform")] == [new.public, files.held("platform")[0].public]
    assert token_session.session(keys._uri) is keys._session
