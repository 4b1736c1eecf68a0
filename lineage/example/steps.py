"""What the example does and says, in order, each step by the key that may say it."""

from __future__ import annotations

import json
import platform
from functools import partial
from pathlib import Path

from lineage.artifacts.hashing import hash_file
from lineage.example.desk import Desk
from lineage.example.keeping import Keeping
from lineage.example.project import PROJECT
from lineage.example.tracking import BUILDER as TRACKED
from lineage.example.tracking import Tracking
from lineage.example.workshop import Key, Said, Workshop, log, now

OWN = "urn:lineage:predicate:"
DATASET, RUN, MODEL = f"{OWN}dataset:v1", f"{OWN}training-run:v1", f"{OWN}model:v1"
HARDWARE, DEPLOYMENT = f"{OWN}hardware-node:v1", f"{OWN}deployment:v1"

BUILDER = f"https://ci.example/pipelines/{PROJECT}"
UNHASHED = "https://data.example/reference-ranges-2024"


class Example:
    """One run of the example in a workshop. Every method is one step and may be repeated.

    What a step needs of MLflow and scikit-learn it imports itself: that takes seconds.
    """

    def __init__(self, shop: Workshop, desk: Desk, tracking: Tracking) -> None:
        self.shop = shop
        self.desk = desk
        self.tracking = tracking
        self.keeping = Keeping(shop, desk)
        self.raw = shop.path("store/data/raw.csv")
        self.train = shop.path("store/data/train.csv")
        self.test = shop.path("store/data/test.csv")
        self.model = shop.path("store/model")
        self.report = shop.path("store/report.json")
        self.converted = shop.path("store/export/model.safetensors")
        self.deployed = shop.path("serving/current/model.safetensors")
        self.code = Path(__file__).with_name("pipeline.py")

    def run(self) -> None:
        """Everything that has not been done yet."""
        self.token = self.shop.once("make-an-api-key", self._token)["token"]
        self._keys()
        steps = (
            self.describe_the_machine,
            self.collect_the_raw_data,
            self.prepare_the_data,
            self.train_the_model,
            self.describe_the_model,
            self.evaluate_the_model,
            self.make_the_model_champion,
            self.convert_the_model,
            self.describe_the_converted_model,
            self.deploy_the_model,
            self.say_what_a_key_may_not_say,
            self.train_once_more_by_hand,
            self.follow_the_mlflow_server,
            self.alter_the_run_made_by_hand,
            self.look_at_the_mlflow_server_again,
            self.say_where_copies_lie,
            self.read_every_copy,
            self.alter_the_deployed_model,
            self.read_the_deployed_model_again,
        )
        for step in steps:
            self.shop.once(_name(step.__name__), step)
        log("done: sign in to see what it left behind")

    def _token(self) -> Said:
        scopes = ("--scope", "attest", "--scope", "read")
        return {"token": self.shop.lineage("tokens", "create", "--name", "example pipeline", *scopes).strip()}

    def _keys(self) -> None:
        """Five keys, each with the narrowest scopes that its work needs."""
        register = self.desk.register
        self.data_team = register(
            "data-team",
            predicate_types=[DATASET],
            subjects=[f"{PROJECT}/raw/*"],
            kinds=["dataset", "supplier"],
        )
        self.pipeline = register(
            "training-pipeline", predicate_types=[RUN, MODEL], builders=[BUILDER],
            subjects=[PROJECT, f"{PROJECT}/*"],
        )  # fmt: skip
        self.training = register(
            "training-process", predicate_types=[RUN], builders=[TRACKED], subjects=[PROJECT]
        )
        self.machine_room = register("machine-room", predicate_types=[HARDWARE], kinds=["hardware"])
        self.release = register("release-manager", predicate_types=[DEPLOYMENT], subjects=[f"{PROJECT}/*"])

    def _say(self, step: str, key: Key, predicate_type: str, predicate: Said, **refs: list[str]) -> Said:
        return self.shop.attest(
            step, key=key, token=self.token, predicate_type=predicate_type, predicate=predicate,
            subjects=refs["subjects"], materials=refs.get("materials", []),
        )  # fmt: skip

    def _run_predicate(self, activity: str, started: str, **members: object) -> Said:
        """A training-run predicate of this pipeline, on this machine, with this code."""
        return {
            "builder": {"id": BUILDER},
            "invocationId": f"{activity}-1",
            "name": f"{PROJECT} {activity}",
            "activity": activity,
            "startedOn": started,
            "finishedOn": now(),
            "inputs": [{"name": f"{PROJECT}/pipeline.py", "digest": self._digest(self.code), "role": "code"}],
            "hardware": [{"name": platform.node(), "digest": {"sha256": self._machine_id()}}],
            **members,
        }

    def _digest(self, path: Path) -> dict[str, str]:
        return {"sha256": hash_file(path)}

    def _machine_id(self) -> str:
        """SHA-256 of the machine's identity key (SPKI, DER), which its key id is."""
        return str(json.loads(self.shop.path("done/make-the-machines-key.json").read_text())["key_id"])

    def describe_the_machine(self) -> Said:
        from lineage.client import read_public_key

        identity = self.shop.key("machine-identity")
        key_id = read_public_key(identity.public).key_id
        self.shop.once("make-the-machines-key", lambda: {"key_id": key_id})
        predicate = {
            "vendor": platform.system(),
            "model": f"{platform.machine()}, {platform.release()}",
            "description": "The machine that this example runs on",
        }
        node = f"{platform.node()}=sha256:{key_id}"
        return self._say("machine", self.machine_room, HARDWARE, predicate, subjects=[node])

    def collect_the_raw_data(self) -> Said:
        from lineage.example import pipeline

        predicate = {
            "name": "Breast cancer Wisconsin (diagnostic)",
            "version": "1995-11-01",
            "license": "CC-BY-4.0",
            "description": "Cell nuclei measured in digitised images; ships with scikit-learn",
            "supplier": {"name": "University of Wisconsin"},
            **pipeline.collect(self.raw),
        }
        subject = f"{PROJECT}/raw/wisconsin.csv={self.raw}"
        return self._say("raw-data", self.data_team, DATASET, predicate, subjects=[subject])

    def prepare_the_data(self) -> Said:
        """Splits the data; also reads reference ranges that nobody ever hashed, which will show as a gap."""
        from lineage.example import pipeline

        started = now()
        measured = pipeline.prepare(self.raw, self.train, self.test)
        names = (f"{PROJECT}/train.csv", f"{PROJECT}/test.csv")
        outputs = [{"name": name, "role": "dataset"} for name in names]
        predicate = self._run_predicate("preparation", started, outputs=outputs, metrics=measured)
        predicate["inputs"].append({"name": "Reference ranges 2024", "uri": UNHASHED, "role": "dataset"})
        subjects = [f"{names[0]}={self.train}", f"{names[1]}={self.test}"]
        materials = [f"{PROJECT}/raw/wisconsin.csv={self.raw}"]
        return self._say("preparation", self.pipeline, RUN, predicate, subjects=subjects, materials=materials)

    def train_the_model(self) -> Said:
        """Tracked on MLflow and signed by the training process itself, as `training` shows."""
        return self.tracking.train(
            self.train, self.model, key=self.training, token=self.token, hardware=self._machine_id()
        )

    def describe_the_model(self) -> Said:
        predicate = {
            "name": PROJECT,
            "version": "1.0.0",
            "license": "Apache-2.0",
            "architecture": "logistic regression",
            "task": "tabular classification",
        }
        subject = f"{PROJECT}={self.model}"
        return self._say("model", self.pipeline, MODEL, predicate, subjects=[subject])

    def evaluate_the_model(self) -> Said:
        from lineage.example import pipeline

        started = now()
        metrics = pipeline.evaluate(self.model, self.test, self.report)
        outputs = [{"name": f"{PROJECT}/report.json", "role": "report"}]
        predicate = self._run_predicate("evaluation", started, outputs=outputs, metrics=metrics)
        return self._say(
            "evaluation", self.pipeline, RUN, predicate, subjects=[f"{PROJECT}/report.json={self.report}"],
            materials=[f"{PROJECT}={self.model}", f"{PROJECT}/test.csv={self.test}"],
        )  # fmt: skip

    def convert_the_model(self) -> Said:
        from lineage.example import pipeline

        started = now()
        measured = pipeline.convert(self.model, self.test, self.converted)
        outputs = [{"name": f"{PROJECT}/model.safetensors", "role": "model"}]
        predicate = self._run_predicate("conversion", started, outputs=outputs, metrics=measured)
        return self._say(
            "conversion", self.pipeline, RUN, predicate, materials=[f"{PROJECT}={self.model}"],
            subjects=[f"{PROJECT}/model.safetensors={self.converted}"],
        )  # fmt: skip

    def describe_the_converted_model(self) -> Said:
        predicate = {
            "name": f"{PROJECT} for serving",
            "version": "1.0.0",
            "license": "Apache-2.0",
            "architecture": "logistic regression as safetensors",
            "task": "tabular classification",
        }
        return self._say(
            "converted-model", self.pipeline, MODEL, predicate,
            subjects=[f"{PROJECT}/model.safetensors={self.converted}"], materials=[f"{PROJECT}={self.model}"],
        )  # fmt: skip

    def deploy_the_model(self) -> Said:
        from lineage.example import pipeline

        deployed = pipeline.deploy(self.converted, self.deployed.parent)
        predicate = {
            "name": f"{PROJECT} in the example's serving folder",
            "environment": "example",
            "deployedOn": now(),
            "endpoint": deployed.as_uri(),
        }
        subject = f"{PROJECT}/model.safetensors={deployed}"
        return self._say("deployment", self.release, DEPLOYMENT, predicate, subjects=[subject])

    def say_what_a_key_may_not_say(self) -> Said:
        """The data team's key signs a training run: a good signature, and not its business."""
        predicate = self._run_predicate("training", now(), invocationId="forged-1")
        return self.shop.attest_in_vain(
            "forged", key=self.data_team, token=self.token, predicate_type=RUN, predicate=predicate,
            subjects=[f"{PROJECT}/raw/forged-model={self.model}"],
        )  # fmt: skip

    def make_the_model_champion(self) -> Said:
        return self.tracking.register(**self.shop.done(_name(self.train_the_model.__name__)))

    def train_once_more_by_hand(self) -> Said:
        return self.tracking.train_by_hand(self.train)

    def follow_the_mlflow_server(self) -> Said:
        """What is there now is recorded, and every later change against it."""
        self.tracking.follow()
        return self.tracking.sync(sweep=True)

    def alter_the_run_made_by_hand(self) -> Said:
        by_hand = self.shop.done(_name(self.train_once_more_by_hand.__name__))
        return self.tracking.alter(**by_hand, data=self.test)

    def look_at_the_mlflow_server_again(self) -> Said:
        """With every byte hashed again: nothing that MLflow says shows that a model's file is another."""
        return self.tracking.sync(sweep=True, rehash=True)

    def say_where_copies_lie(self) -> Said:
        """Decisions of the operator; where models lie on MLflow, those who logged them have said."""
        kept = {path.name: path for path in (self.raw, self.train, self.test, self.model, self.report)}
        for name, path in {**kept, "the-converted-model": self.converted}.items():
            step = f"say-that-a-copy-of-{name.replace('.', '-')}-is-in-the-store"
            self.shop.once(step, partial(self.keeping.add, path, "the pipeline keeps it here"))
        return self.keeping.add(self.deployed, "it is served from here")

    def read_every_copy(self) -> Said:
        """The first re-verification: what matches now is what later checks are compared with."""
        return self.keeping.check_everything()

    def alter_the_deployed_model(self) -> Said:
        """Somebody on the serving machine lets nearly every tumour pass as benign. Nobody signs that."""
        return self.keeping.alter(self.deployed) if self.keeping.covered else {}

    def read_the_deployed_model_again(self) -> Said:
        """Finds it out. Raises: RuntimeError where it does not."""
        if not self.keeping.covered:
            return {}
        found = self.keeping.check(self.shop.done(_name(self.say_where_copies_lie.__name__))["key"])
        if not found["mismatch"]:
            raise RuntimeError(f"the altered model was not found out: {found}")
        log("found out: the deployed model is not the one that was signed")
        return found


def _name(step: str) -> str:
    return step.replace("_", "-")
