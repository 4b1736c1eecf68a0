"""What a layout lets through, and what it must not: one attack a test."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.errors import MalformedError, TooLargeError
from lineage.trust import keys, layouts_metadata, layouts_model, layouts_signers
from lineage.trust.layouts import MAX_CHOICES, MAX_EVIDENCE, Report, read_evidence, verify_layout
from lineage.trust.layouts_metadata import canonical
from lineage.trust.layouts_report import to_json
from lineage.trust.leaf import parse_rfc3339
from lineage.trust.verify import Outcome
from tests import layouts as given_
from tests.layouts import (
    ARTIFACT,
    CODE,
    NOW_US,
    PACKED,
    enveloped,
    evidence,
    layout,
    link,
    metablock,
    step,
    two_steps,
)

FORMS = {"metablock": metablock, "dsse": enveloped}
Sign = Callable[..., bytes]


def judge(
    signed: bytes | Mapping[str, Any],
    *files: bytes,
    artifact: Mapping[str, str] | None = ARTIFACT,
    at_us: int = NOW_US,
    owners: tuple[str, ...] = ("owner",),
) -> Report:
    data = signed if isinstance(signed, bytes) else metablock(signed, "owner")
    return verify_layout(data, [given_.key(o).public for o in owners], evidence(*files), artifact, at_us)


def good() -> list[bytes]:
    return [metablock(CODE, "bob"), metablock(PACKED, "carl")]


@pytest.mark.parametrize("form", FORMS)
def test_what_the_layout_asks_for_is_verified(form: str) -> None:
    sign = FORMS[form]
    report = judge(sign(two_steps(), "owner"), sign(CODE, "bob"), sign(PACKED, "carl"))
    assert report.outcome is Outcome.VERIFIED
    assert [(s.name, s.outcome, s.signers) for s in report.steps] == [
        ("write-code", "verified", 1),
        ("package", "verified", 1),
    ]
    assert len(report.used()) == 2
    assert all(rule.outcome == "passed" for s in report.steps for rule in (*s.materials, *s.products))


def test_a_verdict_is_json() -> None:
    written = to_json(judge(two_steps(), *good()))
    assert json.loads(json.dumps(written)) == written
    assert written["steps"][1]["materials"][0] == {
        "rule": "MATCH foo.py WITH PRODUCTS FROM write-code",
        "outcome": "passed",
        "said": "Accepts foo.py.",
    }


def test_statements_of_links_count_as_links() -> None:
    """`link/v0.3`: the form in which pipelines send links today."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": path, "digest": digest} for path, digest in PACKED["products"].items()],
        "predicateType": layouts_metadata.LINK_PREDICATE,
        "predicate": {
            "name": "package",
            "command": PACKED["command"],
            "materials": [{"name": path, "digest": digest} for path, digest in PACKED["materials"].items()],
        },
    }
    report = judge(two_steps(), enveloped(CODE, "bob"), enveloped(statement, "carl"))
    assert report.outcome is Outcome.VERIFIED


def test_a_layout_that_nobody_signed() -> None:
    report = judge(metablock(two_steps()), *good())
    assert report.outcome is Outcome.REFUTED
    assert "did not sign the layout" in report.reasons[0]


def test_each_owner_has_to_have_signed() -> None:
    one = judge(metablock(two_steps(), "owner"), *good(), owners=("owner", "second"))
    both = judge(metablock(two_steps(), "owner", "second"), *good(), owners=("owner", "second"))
    assert (one.outcome, both.outcome) == (Outcome.REFUTED, Outcome.VERIFIED)


def test_without_an_owner_nothing_is_believed() -> None:
    assert judge(two_steps(), *good(), owners=()).outcome is Outcome.INCONCLUSIVE


def test_a_layout_that_was_altered_after_signing() -> None:
    wider = json.loads(metablock(two_steps(), "owner"))
    wider["signed"]["steps"][1]["expected_products"] = []
    assert judge(json.dumps(wider).encode(), *good()).outcome is Outcome.REFUTED


@pytest.mark.parametrize(
    ("at", "outcome"), [("2029-12-31T23:59:59Z", "verified"), ("2030-01-01T00:00:00Z", "refuted")]
)
def test_an_expired_layout(at: str, outcome: str) -> None:
    report = judge(two_steps(), *good(), at_us=parse_rfc3339(at))
    assert report.outcome == outcome
    assert outcome == "verified" or "expired" in report.reasons[0]


def test_a_step_that_nobody_did() -> None:
    report = judge(two_steps(), metablock(PACKED, "carl"))
    assert report.outcome is Outcome.REFUTED
    assert "write-code" in report.reasons[0]
    assert [s.outcome for s in report.steps] == ["refuted", "inconclusive"]


def test_a_functionary_of_another_step() -> None:
    report = judge(two_steps(), metablock(CODE, "carl"), metablock(PACKED, "carl"))
    assert report.outcome is Outcome.REFUTED
    assert report.steps[0].links[0].said.startswith("Not counted: ")


def test_a_link_of_another_step_under_a_new_name() -> None:
    """`in-toto-verify` goes by a file's name; here a link stands for the step that was signed in it."""
    other = metablock({**CODE, "name": "elsewhere"}, "bob")
    assert judge(two_steps(), other, metablock(PACKED, "carl")).outcome is Outcome.REFUTED


def test_a_swapped_link_breaks_a_rule() -> None:
    """The packer took another foo.py than the one that was written."""
    report = judge(two_steps(), metablock(link("write-code", {}, {"foo.py": "evil"}), "bob"), good()[1])
    assert report.outcome is Outcome.REFUTED
    failed = [rule for rule in report.steps[1].materials if rule.outcome == "failed"]
    assert [(rule.rule, rule.said) for rule in failed] == [
        ("DISALLOW *", "Forbids foo.py, which no rule before had accepted.")
    ]
    assert report.steps[1].materials[0].said == "Fits nothing here."


def test_a_required_file_that_is_not_there() -> None:
    asked = layout(
        [step("test", ["bob"], expected_products=[["REQUIRE", "report"], ["ALLOW", "*"]])], ["bob"]
    )
    report = judge(asked, metablock(link("test", {}, {"log": "x"}), "bob"), artifact=None)
    assert report.outcome is Outcome.REFUTED
    assert [rule.outcome for rule in report.steps[0].products] == ["failed", "not reached"]


def test_an_artifact_that_the_layout_says_nothing_of() -> None:
    report = judge(two_steps(), *good(), artifact=given_.sha("another"))
    assert report.outcome is Outcome.REFUTED
    assert "none of the products" in report.reasons[0]


def test_an_artifact_that_has_no_digest_in_common() -> None:
    report = judge(two_steps(), *good(), artifact={"sha512": "ab" * 64})
    assert report.outcome is Outcome.INCONCLUSIVE


def three_reviewers(threshold: int, names: tuple[str, ...] = ("bob", "carl", "dora")) -> dict[str, Any]:
    return layout([step("review", names, threshold=threshold)], names)


REVIEW = link("review", {"a": "a"}, {"a": "a"})


@pytest.mark.parametrize(
    ("signers", "outcome"),
    [(["bob"], "refuted"), (["bob", "bob"], "refuted"), (["bob", "carl"], "verified")],
    ids=["one", "one-twice", "two"],
)
def test_a_threshold_counts_distinct_keys(signers: list[str], outcome: str) -> None:
    apart = [metablock(REVIEW, who) for who in signers]
    together = metablock(REVIEW, *signers)
    for files in (apart, [together]):
        report = judge(three_reviewers(2), *files, artifact=None)
        assert report.outcome == outcome
        assert report.steps[0].signers == len(set(signers))


def test_one_key_under_two_names_is_one_functionary() -> None:
    """The package counts names, and says so in a comment."""
    asked = three_reviewers(2, ("bob",))
    twin = {**next(iter(asked["keys"].values())), "keyid": "ab" * 32}
    asked["keys"]["ab" * 32] = twin
    asked["steps"][0]["pubkeys"].append("ab" * 32)
    other = json.loads(metablock(REVIEW, "bob"))
    other["signatures"][0]["keyid"] = "ab" * 32
    report = judge(asked, metablock(REVIEW, "bob"), json.dumps(other).encode(), artifact=None)
    assert report.outcome is Outcome.REFUTED
    assert report.steps[0].signers == 1


def test_functionaries_that_disagree_don_t_add_up() -> None:
    files = [metablock(REVIEW, "bob"), metablock(link("review", {"a": "b"}, {"a": "b"}), "carl")]
    report = judge(three_reviewers(2), *files, artifact=None)
    assert report.outcome is Outcome.REFUTED
    assert "don't agree" in report.steps[0].said


def test_one_who_disagrees_is_shown_and_outvoted() -> None:
    files = [metablock(REVIEW, who) for who in ("bob", "carl")]
    files.append(metablock(link("review", {"a": "b"}, {"a": "b"}), "dora"))
    report = judge(three_reviewers(2), *files, artifact=None)
    assert report.outcome is Outcome.VERIFIED
    assert report.steps[0].notes == (
        "Other functionaries' links say otherwise; they are listed and not used.",
    )
    assert [one.used for one in report.steps[0].links] == [True, True, False]


def test_a_link_of_each_signer_is_listed_however_many_copies_there_are() -> None:
    who = [f"person-{number}" for number in range(25)]
    asked = layout([step("review", who, threshold=25)], who)
    first = [metablock(REVIEW, who[0]) + b"\n" * number for number in range(30)]
    report = judge(asked, *first, *(metablock(REVIEW, each) for each in who[1:]), artifact=None)
    assert report.outcome is Outcome.VERIFIED
    names = ["file 0", *(f"file {number}" for number in range(30, 54))]
    assert [one.name for one in report.steps[0].links] == names
    assert len(report.used()) == 25


def test_a_wrong_or_missing_key_id_is_only_a_hint() -> None:
    files = [json.loads(each) for each in good()]
    files[0]["signatures"][0]["keyid"] = ""
    files[1]["signatures"][0]["keyid"] = given_.keyid("bob")
    report = judge(two_steps(), *(json.dumps(each).encode() for each in files))
    assert report.outcome is Outcome.VERIFIED


def inspected(**members: Any) -> dict[str, Any]:
    inspection = {
        "_type": "inspection",
        "name": "untar",
        "run": ["touch", "inspected"],
        "expected_materials": [],
        "expected_products": [],
    }
    return two_steps(inspect=[inspection], **members)


def _forbidden(*args: object, **kwargs: object) -> None:
    raise AssertionError("a command was run")


def test_a_layout_with_an_inspection_is_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess.Popen, "__init__", _forbidden)
    report = judge(inspected(), *good())
    assert report.outcome is Outcome.INCONCLUSIVE
    assert "untar" in report.reasons[0]


def over(inner: Mapping[str, Any], who: str = "alice") -> tuple[dict[str, Any], bytes]:
    """A layout whose one step Alice had others do, and her layout for that."""
    return layout([step("deliver", [who], expected_products=[["ALLOW", "*"]])], [who]), metablock(inner, who)


def test_a_sublayout_stands_for_its_steps() -> None:
    outer, inner = over(two_steps())
    report = judge(outer, inner, *good())
    assert report.outcome is Outcome.VERIFIED
    below = report.steps[0].sublayouts[0]
    assert [s.outcome for s in below.steps] == ["verified", "verified"]
    assert len(report.used()) == 3


@pytest.mark.parametrize(
    ("inner", "outcome"),
    [
        (inspected(), "inconclusive"),
        (two_steps(expires="2026-01-01T00:00:00Z"), "refuted"),
        (two_steps(steps=[]), "refuted"),
    ],
    ids=["inspection", "expired", "empty"],
)
def test_a_sublayout_is_judged_like_any(
    inner: dict[str, Any], outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess.Popen, "__init__", _forbidden)
    outer, signed = over(inner)
    assert judge(outer, signed, *good()).outcome == outcome


def test_a_sublayout_by_somebody_else() -> None:
    outer, _ = over(two_steps())
    assert judge(outer, metablock(two_steps(), "bob"), *good()).outcome is Outcome.REFUTED


def test_a_sublayout_is_only_for_the_step_that_its_file_names() -> None:
    outer, inner = over(two_steps())
    elsewhere = [read_evidence(inner, "other.link", step="other"), *evidence(*good())]
    data = metablock(outer, "owner")
    report = verify_layout(data, [given_.key("owner").public], elsewhere, ARTIFACT, NOW_US)
    assert report.outcome is Outcome.REFUTED


def test_a_layout_can_t_stand_for_its_own_step() -> None:
    loop = layout([step("deliver", ["alice"])], ["alice"])
    inner = metablock(loop, "alice")
    report = judge(loop, inner, artifact=None)
    assert report.outcome is Outcome.REFUTED


def test_sublayouts_that_go_on_and_on() -> None:
    """Each is another file, so none is its own step."""
    files = [metablock(layout([step("x", ["alice"])], ["alice"], readme=str(i)), "alice") for i in range(40)]
    report = judge(layout([step("x", ["alice"])], ["alice"]), *files, artifact=None)
    assert report.outcome is Outcome.INCONCLUSIVE


def test_members_that_nobody_knows_are_signed_too() -> None:
    extra = {**two_steps(), "x_note": 'ü " \\ \n', "cert_constraints": []}
    data = json.loads(metablock(extra, "owner"))
    assert judge(json.dumps(data).encode(), *good()).outcome is Outcome.VERIFIED
    del data["signed"]["x_note"]
    assert judge(json.dumps(data).encode(), *good()).outcome is Outcome.REFUTED


def test_a_gpg_key_is_not_taken_and_said_so() -> None:
    asked = two_steps()
    name = given_.keyid("bob")
    asked["keys"][name] = {
        "keyid": name,
        "type": "rsa",
        "method": "pgp+rsa-pkcsv1.5",
        "hashes": [],
        "keyval": {},
    }
    report = judge(asked, *good())
    assert report.outcome is Outcome.INCONCLUSIVE
    assert "GPG keys are not taken" in report.reasons[0]


def test_a_gpg_signature_is_not_taken_and_said_so() -> None:
    signed = json.loads(good()[0])
    signed["signatures"] = [{"keyid": given_.keyid("bob"), "signature": "00", "other_headers": "04"}]
    report = judge(two_steps(), json.dumps(signed).encode(), good()[1])
    assert report.outcome is Outcome.INCONCLUSIVE
    assert "GPG signatures are not taken" in report.reasons[0]


@pytest.mark.parametrize(
    "members",
    [
        {"steps": []},
        {"expires": "2030-01-01"},
        {"expires": "2030-02-31T00:00:00Z"},
        {"steps": [step("a", ["bob"]), step("a", ["bob"])]},
        {"steps": [step("a", ["bob"], threshold=0)]},
        {"steps": [step("a", ["bob"], threshold=True)]},
        {"steps": [step("", ["bob"])]},
        {"steps": [step("a", ["bob"], expected_products=[["PERMIT", "*"]])]},
        {"steps": [step("a", ["bob"], expected_products=[["MATCH", "*", "FROM"]])]},
        {"steps": "all"},
        {"keys": []},
    ],
    ids=range(11),
)
def test_what_is_no_layout_is_refuted(members: dict[str, Any]) -> None:
    assert judge(two_steps(**members), *good()).outcome is Outcome.REFUTED


@pytest.mark.parametrize(
    "members",
    [
        {"steps": [step(f"s{i}", ["bob"]) for i in range(layouts_model.MAX_STEPS + 1)]},
        {"steps": [step("a", ["bob"], expected_products=[["ALLOW", "*"]] * (layouts_model.MAX_RULES + 1))]},
        {"steps": [step("a", ["bob"], expected_products=[["ALLOW", "x" * 501]])]},
        {"readme": "x" * layouts_model.MAX_LAYOUT_BYTES},
        {"rootcas": {str(i): {"keyval": {"certificate": ""}} for i in range(layouts_model.MAX_KEYS + 1)}},
    ],
    ids=["steps", "rules", "word", "bytes", "roots"],
)
def test_a_huge_layout_is_inconclusive(members: dict[str, Any]) -> None:
    report = judge(two_steps(**members), *good())
    assert report.outcome is Outcome.INCONCLUSIVE
    assert "limit" in report.reasons[0] or "at most" in report.reasons[0]


def test_more_links_than_the_limit() -> None:
    one = evidence(good()[0])
    many = verify_layout(
        metablock(two_steps(), "owner"), [given_.key("owner").public], one * (MAX_EVIDENCE + 1), None, NOW_US
    )
    assert many.outcome is Outcome.INCONCLUSIVE


def test_more_signatures_than_are_checked() -> None:
    with pytest.raises(TooLargeError):
        layouts_signers.missing(
            layouts_metadata.read(good()[0]), [given_.key("bob").public], layouts_signers.Trials(0)
        )


def test_more_looks_than_are_taken() -> None:
    trials = layouts_signers.Trials(looks=0)
    with pytest.raises(TooLargeError):
        layouts_signers.missing(layouts_metadata.read(good()[0]), [given_.key("bob").public], trials)


def test_more_work_than_all_rules_may_be() -> None:
    """Each choice among links is within the limit; all of them are not."""
    asked = layout([step("a", ["bob"], expected_products=[["REQUIRE", "x"]] * 50)], ["bob"])
    files = {f"{i}{'y' * 60}": "1" for i in range(9_000)}
    several = [metablock(link("a", {str(n): "1"}, files), "bob") for n in range(6)]
    assert judge(asked, *several[:2], artifact=None).outcome is Outcome.REFUTED
    assert judge(asked, *several, artifact=None).outcome is Outcome.INCONCLUSIVE


def test_more_choices_than_are_tried() -> None:
    """Many say different things of a step, and nothing fits: that not all were tried is said."""
    codes = [metablock(link("write-code", {}, {"foo.py": str(i)}), "bob") for i in range(MAX_CHOICES + 1)]
    report = judge(two_steps(), *codes, good()[1])
    assert report.outcome is Outcome.INCONCLUSIVE
    assert judge(two_steps(), *codes[:-1], good()[1]).outcome is Outcome.REFUTED
    assert judge(two_steps(), *codes[:8], *good()).outcome is Outcome.VERIFIED


def test_more_files_than_rules_are_applied_to() -> None:
    """The package would write all paths down for each rule."""
    asked = layout([step("a", ["bob"], expected_products=[["ALLOW", "x"]] * 100)], ["bob"])
    made = link("a", {}, {f"{i}{'y' * 100}": "1" for i in range(layouts_model.MAX_ARTIFACTS)})
    report = judge(asked, metablock(made, "bob"), artifact=None)
    assert report.outcome is Outcome.INCONCLUSIVE
    assert "over the limit" in report.reasons[0]


def test_many_at_once_do_not_mix_their_traces() -> None:
    """The package keeps one trace for the whole process."""
    from concurrent.futures import ThreadPoolExecutor

    swapped = metablock(link("write-code", {}, {"foo.py": "evil"}), "bob")

    def ask(number: int) -> Report:
        return judge(two_steps(), *((swapped, good()[1]) if number % 2 else good()))

    with ThreadPoolExecutor(8) as pool:
        reports = list(pool.map(ask, range(40)))
    alone = [ask(0), ask(1)]
    assert [to_json(each) for each in reports] == [to_json(alone[i % 2]) for i in range(40)]


def test_a_path_that_the_package_can_t_join() -> None:
    asked = two_steps()
    asked["steps"][1]["expected_materials"] = [
        ["MATCH", "*", "IN", "src", "WITH", "PRODUCTS", "FROM", "write-code"]
    ]
    packed = link("package", {"src//etc/passwd": "x"}, {"foo.tar.gz": "packed"})
    report = judge(asked, good()[0], metablock(packed, "carl"))
    assert report.outcome is Outcome.INCONCLUSIVE


def test_names_of_files_are_cut_and_printable() -> None:
    asked = layout([step("a", ["bob"], expected_products=[["DISALLOW", "*"]])], ["bob"])
    files = {"x\u202e" * 300: "1", "b\n<script>": "2", **{str(i): "3" for i in range(9)}}
    report = judge(asked, metablock(link("a", {}, files), "bob"), artifact=None)
    said = report.steps[0].products[0].said
    assert "8 more" in said
    assert said.isprintable()
    assert len(said) < 600


NOT_METADATA = {
    "empty": b"",
    "list": b"[]",
    "both": b'{"signed": {"_type": "link"}, "payload": "", "signatures": []}',
    "other": b'{"signed": {"_type": "root"}, "signatures": []}',
    "signatures": b'{"signed": {"_type": "link"}, "signatures": {}}',
    "float": b'{"signed": {"_type": "link", "n": 1.5}, "signatures": []}',
    "digits": b'{"signed": {"_type": "link", "n": ' + b"9" * 5000 + b'}, "signatures": []}',
    "twice": b'{"signed": {"_type": "link", "_type": "layout"}, "signatures": []}',
    "keyid": b'{"signed": {"_type": "link"}, "signatures": [{"keyid": 1, "sig": ""}]}',
    "sig": b'{"signed": {"_type": "link"}, "signatures": [{"keyid": "a"}]}',
}


@pytest.mark.parametrize("case", NOT_METADATA)
def test_what_is_no_metadata(case: str) -> None:
    with pytest.raises(MalformedError):
        layouts_metadata.read(NOT_METADATA[case])
    assert judge(NOT_METADATA[case]).outcome is Outcome.REFUTED


def test_limits_of_metadata() -> None:
    many = {"signed": {"_type": "link"}, "signatures": [{"keyid": "", "sig": ""}] * 33}
    with pytest.raises(TooLargeError):
        layouts_metadata.read(json.dumps(many).encode())
    with pytest.raises(TooLargeError):
        layouts_metadata.read(b" " * (layouts_metadata.MAX_BYTES + 1))
    listed = {str(i): given_.sha("a") for i in range(layouts_model.MAX_ARTIFACTS + 1)}
    with pytest.raises(TooLargeError):
        layouts_model.link(layouts_metadata.read(metablock({**CODE, "materials": listed})))
    with pytest.raises(TooLargeError):
        layouts_model.link(layouts_metadata.read(metablock({**CODE, "materials": {"a" * 4097: {}}})))


@pytest.mark.parametrize(
    "more",
    [{"materials": []}, {"products": {"a": {"sha256": "xy"}}}, {"name": None}, {"command": "make"}],
    ids=["materials", "digest", "name", "command"],
)
def test_what_is_no_link(more: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        layouts_model.link(layouts_metadata.read(metablock({**CODE, **more}, "bob")))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_canonical_json_is_securesystemslib_s(value: Any) -> None:
    from securesystemslib.formats import encode_canonical

    try:
        written = canonical(value)
    except UnicodeEncodeError:
        return
    assert written.decode("utf-8") == encode_canonical(value)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["bob", "carl", "dora", "eve"]), max_size=6), st.integers(1, 4))
def test_thresholds(signers: list[str], threshold: int) -> None:
    """Verified exactly where enough different functionaries signed; Eve is none."""
    files = [metablock(REVIEW, who) for who in signers]
    report = judge(three_reviewers(threshold), *files, artifact=None)
    enough = len(set(signers) - {"eve"}) >= threshold
    assert report.outcome is (Outcome.VERIFIED if enough else Outcome.REFUTED)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_one_link_more_never_refutes(data: st.DataObject) -> None:
    pool = [
        *good(),
        metablock(link("write-code", {}, {"foo.py": "evil"}), "bob"),
        metablock(link("package", {"foo.py": "evil"}, {"foo.tar.gz": "packed"}), "carl"),
        metablock(CODE, "carl"),
    ]
    chosen = data.draw(st.lists(st.sampled_from(pool), unique=True))
    more = [*chosen, data.draw(st.sampled_from(pool))]
    if judge(two_steps(), *chosen).outcome is Outcome.VERIFIED:
        assert judge(two_steps(), *more).outcome is Outcome.VERIFIED


def test_rsa_keys_of_a_layout_need_enough_bits() -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()
    pem = weak.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    asked = two_steps()
    name = given_.keyid("bob")
    asked["keys"][name] = {
        "keyid": name,
        "keytype": "rsa",
        "scheme": "rsassa-pss-sha256",
        "keyval": {"public": pem.decode()},
    }
    report = judge(asked, *good())
    assert report.outcome is Outcome.INCONCLUSIVE
    assert "2048" in report.reasons[0]
    assert isinstance(keys.MIN_RSA_BITS, int)
