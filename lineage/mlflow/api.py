"""What we ask an MLflow server, as functions that give its own JSON.

Owns: MLflow's addresses and parameters. Does not own: what a thing means (`records`), files (`artifacts`).
Source: MLflow 3.17, REST API; docs of what it really does are in docs/mlflow.md.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from lineage.mlflow import paging
from lineage.mlflow.artifacts import Artifacts
from lineage.mlflow.connection import Connection
from lineage.mlflow.errors import SourceError
from lineage.mlflow.paging import PAGE, Found

EXPERIMENTS = 200
"""Experiments in one search: their ids stand in the request."""
EARLIEST = -(2**63)
"""Milliseconds: clients may date a run before 1970."""
NAMED = 500
"""Runs by id in one search."""
OPEN = ("RUNNING", "SCHEDULED")
_API = "api/2.0/mlflow"
_VERSION = re.compile(r"[0-9]+(\.[0-9A-Za-z]+){1,4}", re.ASCII)
_RUN_ID = re.compile(r"[0-9A-Za-z_-]{1,256}", re.ASCII)


class Mlflow(Artifacts):
    """One server. Listings of experiments and runs have deleted ones too. Every call raises SourceError."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._fitting = PAGE

    def version(self) -> str:
        """Such as `3.17.2`."""
        found = self._http.text("version")
        if not _VERSION.fullmatch(found):
            raise SourceError("not-mlflow", "The server does not tell MLflow's version: is it one?")
        return found

    def experiments(self) -> Iterator[list[Found]]:
        def page(token: str) -> Found | None:
            body = {"max_results": PAGE, "view_type": "ALL", **_token(token)}
            return self._http.json("POST", f"{_API}/experiments/search", body=body)

        yield from paging.by_token(page, "experiments", _named("experiment_id"))

    def experiment(self, experiment_id: str) -> Found | None:
        answer = self._http.json("GET", f"{_API}/experiments/get", query={"experiment_id": experiment_id})
        return _member(answer, "experiment")

    def runs_ended_since(self, experiment_ids: Sequence[str], since_ms: int) -> Iterator[list[Found]]:
        """By end time; runs without one are not among them."""
        return self._runs(experiment_ids, "end_time", since_ms)

    def all_runs(self, experiment_ids: Sequence[str]) -> Iterator[list[Found]]:
        """Every run that is there all the time, by its start, which each run has."""
        return self._runs(experiment_ids, "start_time", EARLIEST)

    def open_runs(self, experiment_ids: Sequence[str]) -> Iterator[list[Found]]:
        """By start time: one that ends between two pages hides no other."""
        for status in OPEN:
            also = f"attributes.status = '{status}' AND "
            yield from self._runs(experiment_ids, "start_time", EARLIEST, also)

    def runs_by_id(self, experiment_ids: Sequence[str], run_ids: Sequence[str]) -> Iterator[list[Found]]:
        safe = [run_id for run_id in run_ids if _RUN_ID.fullmatch(run_id)]
        for chosen in paging.sets(experiment_ids, EXPERIMENTS):
            for named in paging.sets(safe, NAMED):
                quoted = ",".join(f"'{run_id}'" for run_id in named)
                yield from self._search(chosen, f"attributes.run_id IN ({quoted})")

    def run(self, run_id: str) -> Found | None:
        """With its model inputs, which a search leaves out; None where there is no such run."""
        answer = self._http.json("GET", f"{_API}/runs/get", query={"run_id": run_id})
        found = _member(answer, "run")
        return found if found is None else _all_runs([found])[0]

    def run_many(self, run_ids: Iterable[str]) -> Iterator[tuple[str, Found | SourceError | None]]:
        """`run` of each over several connections, in order. An error of one is given in its place."""
        ahead = 4 * self._http.settings.connections
        waiting: deque[tuple[str, Future[Found | None]]] = deque()
        with ThreadPoolExecutor(self._http.settings.connections) as pool:
            try:
                for run_id in run_ids:
                    waiting.append((run_id, pool.submit(self.run, run_id)))
                    if len(waiting) >= ahead:
                        yield _outcome(*waiting.popleft())
                while waiting:
                    yield _outcome(*waiting.popleft())
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def logged_models(self, experiment_ids: Sequence[str], since_ms: int | None) -> Iterator[list[Found]]:
        """By their last change; deleted ones are not among them."""
        for chosen in paging.sets(experiment_ids, EXPERIMENTS):

            def search(least: int, token: str, chosen: list[str] = chosen) -> tuple[list[Found], str]:
                body = {
                    "experiment_ids": chosen,
                    "filter": f"last_updated_timestamp_ms >= {least}",
                    "order_by": [{"field_name": "last_updated_timestamp_ms", "ascending": True}],
                    "max_results": PAGE,
                    **_token(token),
                }
                answer = self._http.json("POST", f"{_API}/logged-models/search", body=body)
                found = paging.listed(answer, "models")
                for each in found:
                    _all_have([_object(each, "info")], "model_id")
                return found, _next(answer)

            yield from paging.from_value(
                search,
                since_ms or 0,
                lambda model: _time(model["info"], "last_updated_timestamp_ms"),
                lambda model: str(model["info"]["model_id"]),
            )

    def logged_model(self, model_id: str) -> Found | None:
        answer = self._http.json("GET", f"{_API}/logged-models/{_safe(model_id)}")
        return _member(answer, "model")

    def registered_models(self) -> Iterator[list[Found]]:
        """With their aliases."""

        def page(token: str) -> Found | None:
            query = {"max_results": str(PAGE), "order_by": "name ASC", **_token(token)}
            return self._http.json("GET", f"{_API}/registered-models/search", query=query)

        yield from paging.by_token(page, "registered_models", _named("name"))

    def registered_model(self, name: str) -> Found | None:
        answer = self._http.json("GET", f"{_API}/registered-models/get", query={"name": name})
        return _member(answer, "registered_model")

    def model_versions(self, since_ms: int | None) -> Iterator[list[Found]]:
        """The newest change first, up to those before `since_ms`; None: all of them."""

        def page(token: str) -> Found | None:
            query = {"max_results": str(PAGE), "order_by": "last_updated_timestamp DESC", **_token(token)}
            return self._http.json("GET", f"{_API}/model-versions/search", query=query)

        for found in paging.by_token(page, "model_versions", _version_named):
            yield found
            if since_ms is not None and _time(found[-1], "last_updated_timestamp") < since_ms:
                return

    def model_version(self, name: str, version: str) -> Found | None:
        query = {"name": name, "version": version}
        return _member(self._http.json("GET", f"{_API}/model-versions/get", query=query), "model_version")

    def _runs(
        self, experiment_ids: Sequence[str], attribute: str, since: int, also: str = ""
    ) -> Iterator[list[Found]]:
        for chosen in paging.sets(experiment_ids, EXPERIMENTS):

            def search(least: int, token: str, chosen: list[str] = chosen) -> tuple[list[Found], str]:
                order = [f"attributes.{attribute} ASC"]
                return self._page(chosen, f"{also}attributes.{attribute} >= {least}", token, order)

            yield from paging.from_value(
                search,
                since,
                lambda run: _time(run["info"], attribute),
                lambda run: str(run["info"]["run_id"]),
            )

    def _search(self, experiment_ids: Sequence[str], wanted: str) -> Iterator[list[Found]]:
        token = ""
        while True:
            found, token = self._page(experiment_ids, wanted, token, [])
            if found:
                yield found
            if not token:
                return

    def _page(
        self, experiment_ids: Sequence[str], wanted: str, token: str, order: Sequence[str]
    ) -> tuple[list[Found], str]:
        body = {
            "experiment_ids": list(experiment_ids),
            "filter": wanted,
            "run_view_type": "ALL",
            "order_by": list(order),
            **_token(token),
        }
        size = min(PAGE, self._fitting)
        try:
            answer = self._http.json("POST", f"{_API}/runs/search", body={**body, "max_results": size})
        except SourceError as error:
            if error.trouble != "too-large" or size == 1:
                raise
            # Runs with thousands of params; from now on fewer at a time.
            self._fitting = max(1, size // 8)
            return self._page(experiment_ids, wanted, token, order)
        return _all_runs(paging.listed(answer, "runs")), _next(answer)


def _outcome(run_id: str, future: Future[Found | None]) -> tuple[str, Found | SourceError | None]:
    try:
        return run_id, future.result()
    except SourceError as error:
        return run_id, error


def _token(token: str) -> dict[str, str]:
    return {"page_token": token} if token else {}


def _next(answer: Found | None) -> str:
    return str((answer or {}).get("next_page_token") or "")


def _named(member: str) -> Callable[[Found], str]:
    """What tells things of a listing apart; it raises SourceError for one that has no such text."""
    return lambda found: str(_all_have([found], member)[0][member])


def _version_named(found: Found) -> str:
    return f"{_named('name')(found)}/{found.get('version')}"


def _object(found: Found, member: str) -> Found:
    inner = found.get(member)
    if not isinstance(inner, dict):
        raise SourceError("bad-answer", f"The answer's {member} is not an object.")
    return inner


def _member(answer: Found | None, member: str) -> Found | None:
    return None if answer is None else _object(answer, member)


def _all_have(found: list[Found], member: str) -> list[Found]:
    """The things, once each is shown to have the text that names it. Raises: SourceError."""
    if not all(isinstance(each.get(member), str) and each[member] for each in found):
        raise SourceError("bad-answer", f"Something in the answer has no {member}.")
    return found


def _all_runs(found: list[Found]) -> list[Found]:
    for each in found:
        _all_have([_object(each, "info")], "run_id")
    return found


def _time(found: Found, member: str) -> int:
    """Milliseconds; 0 where there is none."""
    value = found.get(member)
    return value if isinstance(value, int) else 0


def _safe(part: str) -> str:
    """One part of a path. Raises: SourceError for what is none."""
    if not _RUN_ID.fullmatch(part):
        raise SourceError("bad-answer", "The server gave an id that is none.")
    return part
