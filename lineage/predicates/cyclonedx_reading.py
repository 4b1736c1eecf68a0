"""CycloneDX BOMs in JSON: their members that lineage reads, each with its type.

Owns: the form. Does not own: what a component is in the graph (`cyclonedx_parts`). What is not read is not
judged: a BOM whose release notes break the schema is read all the same.

Source: CycloneDX 1.4 to 1.7, JSON schemas; ECMA-424.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

import msgspec

from lineage.errors import MalformedError
from lineage.predicates.composition import digest_set
from lineage.predicates.wire import Wire, read, required, utc
from lineage.trust.statement import Statement

VERSIONS = ("1.4", "1.5", "1.6", "1.7")

ComponentType = Literal[
    "application", "container", "cryptographic-asset", "data", "device", "device-driver", "file",
    "firmware", "framework", "library", "machine-learning-model", "operating-system", "platform",
]  # fmt: skip
HashAlgorithm = Literal[
    "MD5", "SHA-1", "SHA-256", "SHA-384", "SHA-512", "SHA3-256", "SHA3-384", "SHA3-512", "BLAKE2b-256",
    "BLAKE2b-384", "BLAKE2b-512", "BLAKE3", "Streebog-256", "Streebog-512",
]  # fmt: skip

ALGORITHMS: Mapping[str, str] = MappingProxyType(
    {
        "MD5": "md5",
        "SHA-1": "sha1",
        "SHA-256": "sha256",
        "SHA-384": "sha384",
        "SHA-512": "sha512",
        "SHA3-256": "sha3_256",
        "SHA3-384": "sha3_384",
        "SHA3-512": "sha3_512",
        "BLAKE2b-512": "blake2b",
        "BLAKE3": "blake3",
    }
)
"""CycloneDX's names of digests, in in-toto's; the others keep their own and identify nothing."""

_SERIAL = re.compile(
    r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE
)


class Hash(Wire, frozen=True):
    alg: HashAlgorithm
    content: str


class Organization(Wire, frozen=True):
    name: str = ""


class _License(Wire, frozen=True):
    id: str = ""
    name: str = ""


class LicenseChoice(Wire, frozen=True):
    """A license by id or name, or an expression."""

    license: _License | None = None
    expression: str = ""

    @property
    def text(self) -> str:
        return self.expression or (self.license.id or self.license.name if self.license else "")


class ExternalReference(Wire, frozen=True):
    url: str
    type: str = ""
    hashes: tuple[Hash, ...] = ()


class _Contents(Wire, frozen=True):
    url: str = ""


class Data(Wire, frozen=True):
    """A dataset, told of in place or by reference (`ref`), or what a component of type data holds."""

    ref: str = ""
    bom_ref: str = msgspec.field(name="bom-ref", default="")
    type: str = ""
    name: str = ""
    contents: _Contents | None = None
    description: str = ""
    classification: str = ""


class _Approach(Wire, frozen=True):
    type: str = ""


class _ModelParameters(Wire, frozen=True):
    approach: _Approach | None = None
    task: str = ""
    architecture_family: str = ""
    model_architecture: str = ""
    datasets: tuple[Data, ...] = ()


class _Considerations(Wire, frozen=True):
    use_cases: tuple[str, ...] = ()
    technical_limitations: tuple[str, ...] = ()


class ModelCard(Wire, frozen=True):
    model_parameters: _ModelParameters | None = None
    considerations: _Considerations | None = None


class _Issue(Wire, frozen=True):
    type: Literal["defect", "enhancement", "security"]


class _Patch(Wire, frozen=True):
    """What was changed of the ancestors: only its form is judged."""

    type: Literal["unofficial", "monkey", "backport", "cherry-pick"]
    resolves: tuple[_Issue, ...] = ()


class Pedigree(Wire, frozen=True):
    ancestors: tuple[Component, ...] = ()
    patches: tuple[_Patch, ...] = ()


class Component(Wire, frozen=True):
    type: ComponentType
    name: str
    bom_ref: str = msgspec.field(name="bom-ref", default="")
    group: str = ""
    version: str = ""
    version_range: str = ""
    is_external: bool = False
    description: str = ""
    scope: Literal["required", "optional", "excluded"] = "required"
    hashes: tuple[Hash, ...] = ()
    licenses: tuple[LicenseChoice, ...] = ()
    purl: str = ""
    supplier: Organization | None = None
    pedigree: Pedigree | None = None
    components: tuple[Component, ...] = ()
    external_references: tuple[ExternalReference, ...] = ()
    model_card: ModelCard | None = None
    data: tuple[Data, ...] = ()


class Dependency(Wire, frozen=True):
    ref: str
    depends_on: tuple[str, ...] = ()


class Resource(Wire, frozen=True):
    """What a task took or left: something of this BOM, or something elsewhere."""

    ref: str = ""
    external_reference: ExternalReference | None = None


class Put(Wire, frozen=True):
    """An input or an output; one that is only parameters or environment variables has no resource."""

    resource: Resource | None = None


class Task(Wire, frozen=True):
    """A workflow or one of its tasks."""

    bom_ref: str = msgspec.field(name="bom-ref")
    uid: str
    task_types: tuple[str, ...]
    name: str = ""
    description: str = ""
    inputs: tuple[Put, ...] = ()
    outputs: tuple[Put, ...] = ()
    time_start: str = ""
    time_end: str = ""
    tasks: tuple[Task, ...] = ()


class Formula(Wire, frozen=True):
    components: tuple[Component, ...] = ()
    workflows: tuple[Task, ...] = ()


class Composition(Wire, frozen=True):
    aggregate: str


class _Metadata(Wire, frozen=True):
    timestamp: str = ""
    component: Component | None = None
    licenses: tuple[LicenseChoice, ...] = ()
    supplier: Organization | None = None


class Bom(Wire, frozen=True):
    bom_format: Literal["CycloneDX"]
    spec_version: str
    serial_number: str = ""
    version: Annotated[int, msgspec.Meta(ge=1)] = 1
    metadata: _Metadata = _Metadata()
    components: tuple[Component, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    formulation: tuple[Formula, ...] = ()
    compositions: tuple[Composition, ...] = ()


_DECODER = msgspec.json.Decoder(Bom)


def bom(statement: Statement) -> Bom:
    """The BOM that is a statement's predicate.

    Raises: MalformedError where it is none, or of a version that is not read here.
    """
    told = read(_DECODER, statement.predicate)
    if told.spec_version not in VERSIONS:
        raise MalformedError(
            f"CycloneDX {told.spec_version[:20]!r} is not read here; {', '.join(VERSIONS)} are.",
            where="$.predicate.specVersion",
        )
    if told.serial_number and not _SERIAL.fullmatch(told.serial_number):
        raise MalformedError("A serial number is a urn:uuid.", where="$.predicate.serialNumber")
    utc(told.metadata.timestamp, where="$.predicate.metadata.timestamp")
    licenses(told.metadata.licenses, where="$.predicate.metadata.licenses")
    return told


def digests(hashes: tuple[Hash, ...], *, where: str) -> dict[str, str]:
    """The digests in in-toto's form. Raises MalformedError as `digest_set`."""
    return digest_set(((ALGORITHMS.get(each.alg, each.alg), each.content) for each in hashes), where=where)


def checked(component: Component, *, where: str) -> None:
    """Raises MalformedError for what the schema can't say by types alone."""
    required(component.name, where=f"{where}.name")
    if component.version_range and (component.version or not component.is_external):
        raise MalformedError("Only an external component has a range of versions.", where=where)
    licenses(component.licenses, where=f"{where}.licenses")
    digests(component.hashes, where=f"{where}.hashes")


def licenses(choices: tuple[LicenseChoice, ...], *, where: str) -> tuple[str, ...]:
    """Ids, names and expressions. Raises MalformedError for a choice that is none, or both."""
    for number, choice in enumerate(choices):
        at = f"{where}[{number}]"
        if bool(choice.expression) == (choice.license is not None):
            raise MalformedError("A license is an expression, or one license.", where=at)
        if choice.license is not None and bool(choice.license.id) == bool(choice.license.name):
            raise MalformedError("A license has an id or a name.", where=f"{at}.license")
    return tuple(choice.text for choice in choices)
