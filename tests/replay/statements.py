"""Random statements about a small world, so that the same things are told again and again by many.

Every predicate type, digest sets that grow, folders with their files, things without a digest, checks of
copies inside and outside the storage roots, and predicates that can't be read. The same seed, the same world.
"""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, timedelta
from typing import Any

PREFIX = "urn:lineage:predicate:"
CHECK = PREFIX + "check:v1"
SLSA = "https://slsa.dev/provenance/v1"
LINK = "https://in-toto.io/attestation/link/v0.3"
ROOTS = ("/srv/models", "/srv/data sets")
DAY = 86_400 * 1_000_000

NAMES = (
    "model",
    "data/train",
    "data/eval",
    "Ä-modèle 模型",
    "nul\0name",
    "weights.bin",
    "x" * 2_500,
    "🜁.txt",
)
LOCATIONS = (
    "file:///srv/models/a.bin",
    "file:///srv/models/sub/b.bin",
    "FILE:///srv/models/c.bin",
    "file://localhost/srv/models/d.bin",
    "file:///srv/data%20sets/e.csv",
    "file:///srv/models/../models/f.bin",
    "file:///srv/models/../../etc/passwd",
    "file:///srv/models/%2e%2e/%2e%2e/etc/shadow",
    "file:///srv/models-evil/g.bin",
    "file://elsewhere/srv/models/h.bin",
    "file:///tmp/i.bin",
    "s3://bucket/srv/models/j.bin",
    "https://example.com/srv/models/k.bin",
    "/srv/models/plain.bin",
)
INSIDE = (LOCATIONS[0], LOCATIONS[1], LOCATIONS[3], LOCATIONS[4])
BUILDERS = ("https://ci.example/a", "https://ci.example/b", "urn:lineage:mlflow:replay")


def digest(text: str, algorithm: str = "sha256") -> str:
    return hashlib.new(algorithm, text.encode()).hexdigest()


def dir_hash(files: dict[str, str]) -> str:
    lines = sorted((path.encode(), value) for path, value in files.items())
    return hashlib.sha256(b"".join(v.encode() + b"  " + p + b"\n" for p, v in lines)).hexdigest()


def rfc3339(us: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


class World:
    """Draws statements. `now` (µs) is what checks and runs take for the present."""

    def __init__(self, source: random.Random) -> None:
        self.random = source
        self.now = 0
        self.things = [f"thing {n}" for n in range(160)]
        self.kinds = {
            SLSA: self.slsa,
            SLSA + ".0": self.slsa,
            LINK: self.link,
            "link": self.whole_link,
            PREFIX + "training-run:v1": self.training_run,
            PREFIX + "dataset:v1": self.dataset,
            PREFIX + "model:v1": self.model,
            PREFIX + "hardware-node:v1": self.hardware,
            PREFIX + "deployment:v1": self.deployment,
            CHECK: self.check,
            "https://example.com/custom/v1": self.custom,
        }
        self.undigested: list[tuple[dict[str, Any], str]] = []  # (statement, URI) that was observed
        self.copies: list[tuple[str, str]] = []  # (sha256, location) that somebody told of

    def statement(self, kind: str | None = None) -> tuple[str, dict[str, Any]]:
        """Predicate type and statement; one in fourteen has a predicate that can't be read."""
        kind = kind or self.random.choices(list(self.kinds), (6, 1, 3, 2, 9, 6, 8, 3, 5, 14, 2))[0]
        made = self.kinds[kind](kind)
        if self.random.random() < 0.07 and kind != "link":
            self.break_predicate(made)
        if self.random.random() < 0.1 and made["_type"] != "link":
            made["_type"] = "https://in-toto.io/Statement/v0.1"
        return kind, made

    def break_predicate(self, made: dict[str, Any]) -> None:
        predicate = made["predicate"]
        if predicate and self.random.random() < 0.7:
            predicate[self.random.choice(list(predicate))] = 17
        else:
            made["subject"][0]["annotations"] = {"role": "emperor", "files": 3}

    # Descriptors

    def thing(self) -> str:
        """Newer things are drawn more often than old ones, so that lineages grow long."""
        return self.things[min(int(self.random.expovariate(0.02)), len(self.things) - 1)]

    def digests(self, thing: str) -> dict[str, str]:
        strong = digest(thing)
        made: list[tuple[int, dict[str, str]]] = [
            (72, {"sha256": strong}),
            (8, {"sha256": strong, "sha384": digest(thing, "sha384")}),
            (4, {"sha384": digest(thing, "sha384"), "sha512": digest(thing, "sha512").upper()}),
            (3, {"sha512": digest(thing, "sha512")}),
            (3, {"sha256": strong, "blake3": digest("b3" + thing), "gguf": "f00"}),
            (5, {"sha256": strong, "gitCommit": digest(thing, "sha1")}),
            (3, {"sha1": digest(thing, "sha1")}),
            (2, {"custom": "not hex"}),
        ]
        return self.random.choices([each for _, each in made], [weight for weight, _ in made])[0]

    def descriptor(self, *, material: bool = False) -> dict[str, Any]:
        thing = self.thing()
        made: dict[str, Any] = {"name": self.name(thing), "digest": self.digests(thing)}
        draw = self.random.random()
        if material and draw < 0.12:
            uri = f"https://data.example/{self.random.randrange(12)}"
            return {"uri": uri} if draw < 0.07 else {"name": f"undigested {self.random.randrange(6)}"}
        if 0.12 < draw < 0.2:
            return self.folder()
        if 0.2 < draw < 0.36:
            made["downloadLocation"] = self.random.choice(LOCATIONS)
            if "sha256" in made["digest"]:
                self.copies.append((made["digest"]["sha256"], made["downloadLocation"]))
        elif 0.36 < draw < 0.44:
            made["uri"] = self.random.choice((*LOCATIONS, "pkg:generic/thing@1"))
        if 0.4 < draw < 0.5:
            made["annotations"] = {"role": self.random.choice(("model", "dataset", "code", "config"))}
        return made

    def name(self, thing: str) -> str:
        return self.random.choice(NAMES) if self.random.random() < 0.3 else thing

    def folder(self) -> dict[str, Any]:
        number = self.random.randrange(8)
        files = {f"dir/{n}-ü.txt": digest(f"thing {n}") for n in range(number, number + 3)}
        files["LICENSE"] = digest("licence")
        made: dict[str, Any] = {"name": f"folder {number}", "digest": {"dirHash": dir_hash(files)}}
        draw = self.random.random()
        if draw < 0.4:
            made["annotations"] = {"files": files}
        elif draw < 0.6:
            listed = [{"name": path, "digest": {"sha256": value}} for path, value in files.items()]
            made["annotations"] = {"files": listed, "role": "dataset"}
        elif draw < 0.7:
            made["digest"]["sha256"] = digest(f"manifest {number}")
        elif draw < 0.75:
            made["annotations"] = {"files": files | {"extra": digest("extra")}}  # not this folder's
        return made

    def some(self, most: int, *, material: bool = False, least: int = 0) -> list[dict[str, Any]]:
        return [self.descriptor(material=material) for _ in range(self.random.randint(least, most))]

    def about(self, kind: str, predicate: dict[str, Any], subjects: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": subjects,
            "predicateType": kind,
            "predicate": predicate,
        }

    # Predicates

    def slsa(self, kind: str) -> dict[str, Any]:
        if self.undigested and self.random.random() < 0.2:
            return self.digested(kind)
        metadata = {"invocationId": f"run {self.random.randrange(60)}", "startedOn": rfc3339(self.now - DAY)}
        definition = {"buildType": "https://example.com/t", "externalParameters": {}}
        predicate: dict[str, Any] = {
            "buildDefinition": definition | {"resolvedDependencies": self.some(3, material=True)},
            "runDetails": {"builder": {"id": self.random.choice(BUILDERS)}},
        }
        if self.random.random() < 0.8:
            predicate["runDetails"]["metadata"] = metadata
        return self.about(kind, predicate, self.some(2, least=1))

    def observed(self) -> dict[str, Any]:
        """A run of a followed server, seen to use something without a digest."""
        made = self.slsa(SLSA)
        invocation = {"invocationId": f"seen {len(self.undigested)}"}
        made["predicate"]["runDetails"] = {"builder": {"id": BUILDERS[2]}, "metadata": invocation}
        uri = f"https://data.example/{self.random.randrange(12)}"
        made["predicate"]["buildDefinition"]["resolvedDependencies"] = [{"uri": uri}]
        self.undigested.append((made, uri))
        return made

    def digested(self, kind: str) -> dict[str, Any]:
        """The same run, by who knows the digest."""
        seen, uri = self.random.choice(self.undigested)
        used = {"uri": uri, "digest": {"sha256": digest(uri)}}
        definition = seen["predicate"]["buildDefinition"] | {"resolvedDependencies": [used]}
        predicate = {"buildDefinition": definition, "runDetails": seen["predicate"]["runDetails"]}
        return self.about(kind, predicate, seen["subject"])

    def link(self, kind: str) -> dict[str, Any]:
        predicate = {"name": "step", "command": ["cp", "a", "b"], "materials": self.some(2, material=True)}
        return self.about(kind, predicate, self.some(2, least=1))

    def whole_link(self, kind: str) -> dict[str, Any]:
        return {
            "_type": "link",
            "name": "step",
            "command": [],
            "materials": {f"in/{n}": self.digests(self.thing()) for n in range(self.random.randrange(3))},
            "products": {f"out/{n}": self.digests(self.thing()) for n in range(self.random.randrange(3))},
            "byproducts": {},
            "environment": {},
        }

    def training_run(self, kind: str) -> dict[str, Any]:
        subjects = self.some(2, least=1)
        predicate: dict[str, Any] = {
            "builder": {"id": self.random.choice(BUILDERS)},
            "activity": self.random.choice(("training", "evaluation", "fine-tuning")),
            "inputs": self.some(3, material=True),
            "hardware": [self.machine() for _ in range(self.random.randrange(3))],
        }
        if self.random.random() < 0.85:
            predicate["invocationId"] = f"run {self.random.randrange(60)}"
        if self.random.random() < 0.5:
            predicate["outputs"] = [{"role": "model", "digest": subjects[0]["digest"]}]
        return self.about(kind, predicate, subjects)

    def dataset(self, kind: str) -> dict[str, Any]:
        predicate: dict[str, Any] = {"name": "set", "version": "2", "sources": self.some(2, material=True)}
        predicate |= {"supplier": self.supplier(), "place": self.place(), "recordCount": 7}
        return self.about(kind, predicate, self.some(2, least=1))

    def model(self, kind: str) -> dict[str, Any]:
        predicate: dict[str, Any] = {
            "name": "net",
            "license": "MIT",
            "role": self.random.choice(("model", "adapter")),
        }
        predicate |= {
            "baseModels": self.some(2, material=True),
            "datasets": self.some(2, material=True),
            "supplier": self.supplier(),
        }
        return self.about(kind, predicate, self.some(2, least=1))

    def hardware(self, kind: str) -> dict[str, Any]:
        predicate: dict[str, Any] = {"vendor": "V", "location": self.place(), "supplier": self.supplier()}
        subjects = [self.machine() | {"digest": {"sha256": digest(f"machine {self.random.randrange(9)}")}}]
        return self.about(kind, predicate, subjects * (2 if self.random.random() < 0.1 else 1))

    def deployment(self, kind: str) -> dict[str, Any]:
        predicate: dict[str, Any] = {
            "name": f"service {self.random.randrange(10)}",
            "environment": "production",
        }
        predicate |= {"hardware": [self.machine()], "location": self.place()}
        return self.about(kind, predicate, self.some(2, least=1))

    def custom(self, kind: str) -> dict[str, Any]:
        return self.about(kind, {"anything": [1, {"x": None}]}, self.some(3, least=1))

    def machine(self) -> dict[str, Any]:
        number = self.random.randrange(9)
        if number == 8:
            return {"name": "machine without identity"}
        return {"name": f"machine {number}", "digest": {"sha256": digest(f"machine {number}")}}

    def supplier(self) -> dict[str, str]:
        return {"name": self.random.choice(("Acme", "Müller & Söhne", "nul\0corp"))}

    def place(self) -> dict[str, str]:
        return self.random.choice(({"name": "Frankfurt"}, {"name": "Paris", "jurisdiction": "FR"}))

    def check(self, kind: str) -> dict[str, Any]:
        rows = [self.row() for _ in range(self.random.randint(1, 4))]
        found = {row["digest"] for row in rows}
        subjects = [{"digest": dict([key.split(":")])} for key in sorted(found)]
        return self.about(kind, {"rows": rows}, subjects)

    def row(self) -> dict[str, Any]:
        if self.copies and self.random.random() < 0.85:
            hot = [copy for copy in self.copies if copy[1] in INSIDE][-13::4]
            sha256, location = self.random.choice(
                hot if hot and self.random.random() < 0.75 else self.copies[-60:]
            )
        else:
            sha256, location = digest(self.thing()), self.random.choice(LOCATIONS)
        key = f"sha256:{sha256}"
        outcome = self.random.choices(("match", "mismatch", "inconclusive"), (70, 14, 16))[0]
        row = {"digest": key, "location": location, "method": "sha256", "outcome": outcome}
        row["at"] = rfc3339(self.moment())
        if outcome != "inconclusive":
            row["observed"] = key if outcome == "match" else "sha256:" + digest("rotten")
        return row

    def moment(self) -> int:
        """Mostly now; sometimes long ago, sometimes in the future, often at just the same round moment."""
        draw = self.random.random()
        if draw < 0.5:
            return self.now - self.random.randrange(3600 * 1_000_000)
        if draw < 0.7:
            return self.now // DAY * DAY
        if draw < 0.9:
            return self.now - self.random.randrange(30 * DAY)
        return self.now + self.random.randrange(40 * DAY)
