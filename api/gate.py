"""The gate before a deployment, for programs: the same answer as `lineage gate`."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from api.base import Call
from api.openapi import Parameter, describe
from api.query import Query
from lineage.services import gate
from lineage.services.gate import GateAnswer

KEY = "Node key of the artifact, `sha256:…` or `dirHash:…`"
_YES, _NO = "true", "false"
WAIT_SECONDS = 2.0


class Gate(Call):
    @describe(
        "nodes_gate",
        "May it be deployed?",
        "`open` only where the artifact is verified, untainted and fresh, judged by a graph that is level "
        "with the log; otherwise `reasons` say why not. The answer is 200 for each verdict: a program that "
        "deploys goes on at `open` alone.",
        answer=GateAnswer,
        example="gate",
        parameters=[
            Parameter(
                "max_age",
                "Each copy must have matched within this, such as `12h`; s, m, h or d. Absent: policy.",
            ),
            Parameter(
                "accept_unchecked",
                "Let pass what has no copy here, on signatures alone. Absent: false.",
                options=(_YES, _NO),
            ),
        ],
        path={"key": KEY},
        problems=["malformed", "not-found"],
    )
    def get(self, request: Request, key: str) -> Response:
        query = Query(request, ["max_age", "accept_unchecked"])
        age = query.text("max_age")
        return Response(
            gate.judge(
                key,
                max_age_seconds=None if age is None else gate.seconds(age),
                accept_unchecked=query.choice("accept_unchecked", (_YES, _NO)) == _YES,
                wait_seconds=WAIT_SECONDS,
            )
        )
