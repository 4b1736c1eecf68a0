"""Links and layouts of the in-toto projects, and `in-toto-verify` itself as the second opinion.

Where the two disagree, a test says how and why; nothing else may differ.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from in_toto import verifylib
from in_toto.exceptions import (
    LinkNotFoundError,
    RuleVerificationError,
    SignatureVerificationError,
    ThresholdVerificationError,
)
from in_toto.models.layout import Layout as OtherLayout
from in_toto.models.metadata import Metadata as OtherMetadata
from securesystemslib.exceptions import FormatError

from lineage.errors import MalformedError
from lineage.trust import keys, layouts_metadata, layouts_model
from lineage.trust.layouts import Report, read_evidence, verify_layout
from lineage.trust.layouts_metadata import Metadata
from lineage.trust.leaf import parse_rfc3339
from lineage.trust.verify import Outcome
from tests import layouts as given_
from tests.layouts import ARTIFACT, CODE, NOW_US, PACKED, enveloped, link, metablock, step, two_steps

FAMILY = "in-toto"
SIGNED = ("verified", "refuted")
APPLIES = {
    "test_signatures": lambda case: case["file"] != "demo/foo.tar.gz",
    "test_the_package_agrees": lambda case: case["file"].endswith((".link", "demo.layout")),
}
REFUSED = (
    FormatError,
    LinkNotFoundError,
    RuleVerificationError,
    SignatureVerificationError,
    ThresholdVerificationError,
    verifylib.LayoutExpiredError,
)


def case_keys(vectors: Path, case: Mapping[str, Any]) -> list[keys.PublicKey]:
    """The keys of a case: files, or those of a layout."""
    if "key_from" in case:
        file, pointer = case["key_from"].split(" ")
        prefix = pointer.removeprefix("/signed/keys/").rstrip("*")
        listed = json.loads((vectors / file).read_text())["signed"]["keys"]
        return [
            keys.load_public(k["keyval"]["public"].encode())
            for i, k in listed.items()
            if i.startswith(prefix)
        ]
    return [keys.load_public((vectors / name).read_bytes()) for name in case.get("keys", [])]


def made(metadata: Metadata, known: Sequence[keys.PublicKey]) -> bool:
    return any(key.verify(metadata.message, s.sig) for key in known for s in metadata.signatures)


def test_signatures(vectors: Path, case: dict[str, Any]) -> None:
    """What each file says, and who signed it, over canonical JSON of what was received."""
    data = (vectors / case["file"]).read_bytes()
    if case["expect"] == "malformed":  # the template, which the package fills with a date of its own
        with pytest.raises(MalformedError):
            layouts_model.layout(layouts_metadata.read(data))
        return
    metadata = layouts_metadata.read(data)
    facts = case["facts"]
    assert metadata.kind == facts["_type"]
    assert [s.keyid for s in metadata.signatures] == facts["keyids"]
    assert made(metadata, case_keys(vectors, case)) is (case["expect"] == "verified")
    if metadata.kind == "link":
        read = layouts_model.link(metadata)
        assert (read.name, dict(read.materials), dict(read.products), list(read.command)) == (
            facts["name"],
            facts["materials"],
            facts["products"],
            facts["command"],
        )
    else:
        layout = layouts_model.layout(metadata)
        assert (layout.expires, [s.name for s in layout.steps]) == (facts["expires"], facts["steps"])


EXPLAINED = {
    "golang/demo.layout": "3.1 writes its model anew, without cert_constraints, and finds another text",
}


def test_the_package_agrees(vectors: Path, case: dict[str, Any]) -> None:
    """securesystemslib through in-toto; the one disagreement is the one that the vectors name."""
    document = json.loads((vectors / case["file"]).read_text())
    other = OtherMetadata.from_dict(document)
    ours = made(layouts_metadata.read((vectors / case["file"]).read_bytes()), case_keys(vectors, case))
    theirs = False
    for key in _their_keys(vectors, case, document):
        try:
            other.verify_signature(key)
            theirs = True
        except SignatureVerificationError:
            continue
    if case["file"] in EXPLAINED:
        assert (ours, theirs) == (True, False), EXPLAINED[case["file"]]
    else:
        assert ours is theirs


def _their_keys(vectors: Path, case: Mapping[str, Any], document: Mapping[str, Any]) -> list[dict[str, Any]]:
    from in_toto.models._signer import load_public_key_from_file

    if "key_from" in case:
        file = case["key_from"].split(" ")[0]
        listed = json.loads((vectors / file).read_text())["signed"]["keys"]
        return [k for i, k in listed.items() if i == case["facts"]["keyids"][0]]
    loaded = [load_public_key_from_file(str(vectors / name)) for name in case["keys"]]
    # The ids of 3.1 are over other texts than those in the files, which are only names for the keys.
    return [{**key, "keyid": document["signatures"][0]["keyid"]} for key in loaded]


def test_an_expired_layout_without_signature_is_refuted(vectors: Path) -> None:
    """`super.layout`: refuted for its signature already, and for its date by whoever signs it again."""
    data = (vectors / "golang" / "super.layout").read_bytes()
    alice = keys.load_public((vectors / "golang" / "alice.pub").read_bytes())
    assert verify_layout(data, [alice], [], None, NOW_US).outcome is Outcome.REFUTED
    again = metablock(json.loads(data)["signed"], "owner")
    assert "expired" in verify_layout(again, [given_.key("owner").public], [], None, NOW_US).reasons[0]


@pytest.mark.parametrize("name", ["demo.layout", "sub_layout.70ca5750.link"])
def test_layouts_with_inspections_are_inconclusive(vectors: Path, name: str) -> None:
    """All of Go's have one: never run, so never verified, whatever the links say."""
    folder = vectors / "golang"
    links = [read_evidence(path.read_bytes(), path.name) for path in sorted(folder.glob("*.link"))]
    alice = keys.load_public((folder / "alice.pub").read_bytes())
    report = verify_layout((folder / name).read_bytes(), [alice], links, None, NOW_US)
    assert report.outcome is Outcome.INCONCLUSIVE


def test_a_sublayout_of_go_s_is_found_and_inconclusive(vectors: Path) -> None:
    """The superlayout signed and in date: then the sublayout's inspection decides."""
    folder = vectors / "golang"
    signed = {**json.loads((folder / "super.layout").read_text())["signed"], "expires": given_.EXPIRES}
    links = [read_evidence(path.read_bytes(), path.name) for path in sorted(folder.glob("*.link"))]
    report = verify_layout(metablock(signed, "owner"), [given_.key("owner").public], links, None, NOW_US)
    assert report.outcome is Outcome.INCONCLUSIVE
    assert "untar" in report.reasons[0]


def test_the_demo_of_python(vectors: Path) -> None:
    """The demo's real links, under its layout without the inspection: the final product is theirs."""
    from in_toto.models._signer import load_public_key_from_file

    folder = vectors / "demo"
    found = [load_public_key_from_file(str(folder / f"{who}.pub")) for who in ("bob", "carl")]
    template = json.loads((folder / "demo.layout.template").read_text())["signed"]
    names = [asked["pubkeys"][0] for asked in template["steps"]]
    named = {name: {**one, "keyid": name} for name, one in zip(names, found, strict=True)}
    signed = {**template, "inspect": [], "expires": given_.EXPIRES, "keys": named}
    links = {path.name: path.read_bytes() for path in sorted(folder.glob("*.link"))}
    artifact = {"sha256": hashlib.sha256((folder / "foo.tar.gz").read_bytes()).hexdigest()}
    report = _ours(metablock(signed, "owner"), links, artifact)
    assert report.outcome is Outcome.VERIFIED
    assert [s.name for s in report.steps] == ["write-code", "package"]


# What in-toto-verify itself says of layouts and links that are made here, in a folder of files.


def _ours(layout: bytes, links: Mapping[str, bytes], artifact: Mapping[str, str] | None = None) -> Report:
    evidence = [read_evidence(data, name, step=name.rsplit(".", 2)[0]) for name, data in links.items()]
    return verify_layout(
        layout, [given_.key("owner").public], evidence, artifact, parse_rfc3339("2027-01-01T00:00:00Z")
    )


def _theirs(folder: Path, layout: bytes, links: Mapping[str, bytes]) -> str:
    """The verdict of `in-toto-verify` over files: "verified", or the name of what it raised."""
    for name, data in links.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    owner = {"keyid": given_.keyid("owner"), **given_.named("owner")[given_.keyid("owner")]}
    try:
        verifylib.in_toto_verify(
            OtherMetadata.from_dict(json.loads(layout)),
            {owner["keyid"]: owner},
            link_dir_path=str(folder),
            persist_inspection_links=False,
        )
    except REFUSED as error:
        return type(error).__name__
    return "verified"


def file_of(name: str, who: str) -> str:
    return f"{name}.{given_.keyid(who)[:8]}.link"


GOOD = {file_of("write-code", "bob"): (CODE, "bob"), file_of("package", "carl"): (PACKED, "carl")}
EVIL = link("write-code", {}, {"foo.py": "evil"})
THRESHOLD = two_steps(
    steps=[step("review", ["bob", "carl", "dora"], threshold=2)], keys=given_.named("bob", "carl", "dora")
)
REVIEW = link("review", {"a": "a"}, {"a": "a"})
RULES = two_steps(
    steps=[
        step(
            "make",
            ["bob"],
            expected_materials=[
                ["DELETE", "*.tmp"],
                ["MODIFY", "src/*"],
                ["ALLOW", "lib/*"],
                ["DISALLOW", "*"],
            ],
            expected_products=[["CREATE", "out/*"], ["REQUIRE", "src/a"], ["ALLOW", "*"]],
        )
    ]
)
MADE = link("make", {"x.tmp": "1", "src/a": "2", "lib/z": "3"}, {"src/a": "2b", "lib/z": "3", "out/b": "4"})
UNMODIFIED = link("make", {"src/a": "2"}, {"src/a": "2"})

Files = Mapping[str, tuple[Mapping[str, Any], str]]
CASES: dict[str, tuple[Mapping[str, Any], Files]] = {
    "good": (two_steps(), GOOD),
    "expired": (two_steps(expires="2026-02-01T00:00:00Z"), GOOD),
    "missing": (two_steps(), {file_of("package", "carl"): (PACKED, "carl")}),
    "swapped": (two_steps(), {**GOOD, file_of("write-code", "bob"): (EVIL, "bob")}),
    "wrong-signer": (two_steps(), {**GOOD, file_of("write-code", "bob"): (CODE, "carl")}),
    "two-of-three": (THRESHOLD, {file_of("review", w): (REVIEW, w) for w in ("bob", "carl")}),
    "one-of-three": (THRESHOLD, {file_of("review", "bob"): (REVIEW, "bob")}),
    "rules": (RULES, {file_of("make", "bob"): (MADE, "bob")}),
    "rules-broken": (RULES, {file_of("make", "bob"): (UNMODIFIED, "bob")}),
}


@pytest.mark.parametrize("form", ["metablock", "dsse"])
@pytest.mark.parametrize("name", CASES)
def test_in_toto_verify_agrees(name: str, form: str, tmp_path: Path) -> None:
    layout, files = CASES[name]
    sign = metablock if form == "metablock" else enveloped
    signed = {file: sign(content, who) for file, (content, who) in files.items()}
    ours = _ours(sign(layout, "owner"), signed).outcome
    theirs = _theirs(tmp_path, sign(layout, "owner"), signed)
    assert (ours is Outcome.VERIFIED) is (theirs == "verified"), theirs


def test_in_toto_verify_agrees_on_sublayouts(tmp_path: Path) -> None:
    outer = two_steps(
        steps=[step("deliver", ["alice"], expected_products=[["CREATE", "foo*"], ["DISALLOW", "*"]])],
        keys=given_.named("alice"),
    )
    inner = metablock(two_steps(), "alice")
    below = f"deliver.{given_.keyid('alice')[:8]}"
    links = {name: metablock(content, who) for name, (content, who) in GOOD.items()}
    folder = {f"{below}.link": inner, **{f"{below}/{name}": data for name, data in links.items()}}
    assert _theirs(tmp_path, metablock(outer, "owner"), folder) == "verified"
    report = _ours(metablock(outer, "owner"), {f"{below}.link": inner, **links}, ARTIFACT)
    assert report.outcome is Outcome.VERIFIED


# Where the verdicts differ, and why.


def test_difference_one_key_under_two_names(tmp_path: Path) -> None:
    """The package counts a layout's names of keys; a threshold is meant to count people."""
    name = "ab" * 32
    listed = given_.named("bob")
    listed[name] = {**listed[given_.keyid("bob")], "keyid": name}
    asked = two_steps(steps=[step("review", ["bob"], threshold=2)], keys=listed)
    asked["steps"][0]["pubkeys"].append(name)
    twin = json.loads(metablock(REVIEW, "bob"))
    twin["signatures"][0]["keyid"] = name
    files = {
        file_of("review", "bob"): metablock(REVIEW, "bob"),
        "review.abababab.link": json.dumps(twin).encode(),
    }
    assert _theirs(tmp_path, metablock(asked, "owner"), files) == "verified"
    assert _ours(metablock(asked, "owner"), files).outcome is Outcome.REFUTED


def test_difference_no_steps(tmp_path: Path) -> None:
    """To the package a layout that asks for nothing is fulfilled by nothing."""
    asked = metablock(two_steps(steps=[]), "owner")
    assert _theirs(tmp_path, asked, {}) == "verified"
    assert _ours(asked, {}).outcome is Outcome.REFUTED


def test_difference_a_renamed_link(tmp_path: Path) -> None:
    """The package goes by the file's name, and believes a link that was signed for another step."""
    other = metablock({**CODE, "name": "lunch"}, "bob")
    files = {file_of("write-code", "bob"): other, file_of("package", "carl"): metablock(PACKED, "carl")}
    assert _theirs(tmp_path, metablock(two_steps(), "owner"), files) == "verified"
    assert _ours(metablock(two_steps(), "owner"), files).outcome is Outcome.REFUTED


def test_difference_unknown_members(tmp_path: Path) -> None:
    """The package signs what it knows; here every member that was received is covered."""
    data = json.loads(metablock(two_steps(), "owner"))
    data["signed"]["note"] = "added after signing"
    altered = json.dumps(data).encode()
    files = {name: metablock(content, who) for name, (content, who) in GOOD.items()}
    assert _theirs(tmp_path, altered, files) == "verified"
    assert _ours(altered, files).outcome is Outcome.REFUTED


def test_difference_one_who_disagrees(tmp_path: Path) -> None:
    """The package wants all links of a step to agree; here enough are enough, and the other one is told."""
    files = {file_of("review", w): metablock(REVIEW, w) for w in ("bob", "carl")}
    files[file_of("review", "dora")] = metablock(link("review", {"a": "b"}, {"a": "b"}), "dora")
    assert _theirs(tmp_path, metablock(THRESHOLD, "owner"), files) == "ThresholdVerificationError"
    report = _ours(metablock(THRESHOLD, "owner"), files)
    assert report.outcome is Outcome.VERIFIED
    assert report.steps[0].notes


def test_difference_key_ids(tmp_path: Path) -> None:
    """A key id is a hint here; the package finds no signature under another one."""
    data = json.loads(metablock(CODE, "bob"))
    data["signatures"][0]["keyid"] = "cd" * 32
    files = {
        file_of("write-code", "bob"): json.dumps(data).encode(),
        file_of("package", "carl"): metablock(PACKED, "carl"),
    }
    assert _theirs(tmp_path, metablock(two_steps(), "owner"), files) == "ThresholdVerificationError"
    assert _ours(metablock(two_steps(), "owner"), files).outcome is Outcome.VERIFIED


def test_the_package_would_fill_in_a_date() -> None:
    """Why a layout without `expires` never reaches it."""
    asked = two_steps()
    del asked["expires"]
    steps: list[Any] = []
    assert OtherLayout(**{**asked, "steps": steps}).expires
    assert _ours(metablock(asked, "owner"), {}).outcome is Outcome.REFUTED
