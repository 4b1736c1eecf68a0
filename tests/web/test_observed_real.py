"""A real MLflow server, changed after the fact: what an officer then reads on the pages."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from lineage.localservices.service import LocalService
from lineage.services import as_of, registered_models
from tests.integration.followed import Followed
from tests.mlflow_rest import Rest
from tests.observing import run_node
from tests.web.test_observed import text_of

GOOD = {"MLmodel": b"flavors: {}\n", "model.pkl": b"good"}


def test_what_was_changed_on_a_real_server_is_read_on_the_pages(
    auditor: Client, graph: Callable[[], int], emptied_mlflow: LocalService
) -> None:
    rest = Rest(emptied_mlflow.url)
    lab = Followed(rest, graph)
    lab.follow()
    run, name = rest.run(), "fraud model, watched"
    rest.tag(run, "stage", "a")
    model = rest.model(run, GOOD)
    rest.finish(run)
    rest.post("registered-models/create", name=name)
    rest.alias(name, "champion", rest.version(name, model, run))
    lab.sync()
    bytes_then = lab.row("logged-model-files", model).artifact
    before = as_of.resolve(None).size
    pages = (f"/runs/{run_node(run)}", f"/artifacts/{bytes_then}", f"/sources/lab/models/{name}", "/")
    shown = [text_of(auditor.get(f"{page}?as_of={before}")) for page in pages]
    assert "changed after it finished" not in "".join(shown)

    rest.tag(run, "stage", "b")
    rest.model_file(model, "model.pkl", b"evil")
    other = rest.model(run, {"MLmodel": b"second", "model.pkl": b"second"})
    rest.alias(name, "champion", rest.version(name, other, run))
    lab.sync(sweep=True, rehash=True)
    rest.post("runs/delete", run_id=run)
    lab.sync(sweep=True)

    of_run, of_bytes, of_model, first = (text_of(auditor.get(page)) for page in pages)
    assert "changed after it finished Tag stage a → became b" in of_run
    assert "State on MLflow present → became deleted" in of_run
    assert "does not say which model it started from" in of_run
    assert "File model.pkl" in of_bytes
    assert "No longer what lies on MLflow" in of_bytes
    assert f"{name} version 1 on lab" in of_bytes
    assert "Alias champion 1 → became 2" in of_model
    assert "2 versions seen" in of_model
    assert "Changed on MLflow after it finished" in first
    champions = [
        (spell.version, spell.to_index is None)
        for spell in registered_models.alias_history("lab", name, as_of.resolve(None)).spells
    ]
    assert champions == [("2", True), ("1", False)]
    assert [text_of(auditor.get(f"{page}?as_of={before}")) for page in pages[:3]] == [
        text.replace(f"of {before}:", f"of {as_of.resolve(None).head}:") for text in shown[:3]
    ]
