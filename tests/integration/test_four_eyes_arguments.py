"""What a proposal keeps: every function that decides is marked, and each of its arguments comes back."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import get_type_hints

import msgspec
import pytest

from lineage.db.models import Proposal
from lineage.errors import ConflictError, ProposedError
from lineage.services import (
    approvals,
    decide_checks,
)
from tests.integration.test_four_eyes import actor, four_eyes, propose_key

__all__ = ["four_eyes"]


def test_every_function_that_decides_is_marked() -> None:
    """In each module that approvals call; elsewhere `decide.record` refuses, as the test above shows."""
    marked: set[str] = set()
    unmarked: set[str] = set()
    for name in approvals.MODULES:
        module = importlib.import_module(name)
        assert module.__file__
        for node in ast.parse(Path(module.__file__).read_text()).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and node.name != "record":
                calls = {ast.unparse(each.func) for each in ast.walk(node) if isinstance(each, ast.Call)}
                if calls & {"record", "decide.record", "_decide", "_append"}:
                    found = getattr(module, node.name)
                    (marked if hasattr(found, "role") else unmarked).add(node.name)
    assert unmarked == set()
    assert {"register_key", "revoke_key", "waive", "set_check_policy", "withdraw"} <= marked


def test_a_name_that_is_no_decision_is_never_called(four_eyes: None) -> None:
    number = propose_key("a@example.com")
    for name in ("os.system", "lineage.services.decide.line", "lineage.services.decide.nothing", "x"):
        Proposal.objects.update(function=name)
        with pytest.raises(ConflictError, match="no decision"):
            approvals.approve(number, actor("operator"))
    Proposal.objects.update(function="lineage.services.decide.register_key", arguments='{"name": 3}')
    with pytest.raises(ConflictError, match="another version"):
        approvals.approve(number, actor("operator"))


def test_every_argument_of_every_decision_can_be_kept() -> None:
    """As JSON, and read back by the type that the function says."""
    count = 0
    for name in approvals.MODULES:
        for function in vars(importlib.import_module(name)).values():
            if hasattr(function, "role") and function.__module__ == name:
                for argument, kind in get_type_hints(function).items():
                    if argument not in ("person", "return"):
                        msgspec.json.Decoder(kind)
                        count += 1
    assert count > 30


def test_each_kind_of_argument_comes_back(four_eyes: None) -> None:
    from lineage.graph import check_policy

    policy = check_policy.parse(b'{"default": {"full": "7d", "quick": "1d"}, "rules": [], "limits": []}')
    with pytest.raises(ProposedError) as proposed:
        decide_checks.set_check_policy(policy, person="a@example.com")
    assert approvals.approve(proposed.value.number, actor("officer")).created
