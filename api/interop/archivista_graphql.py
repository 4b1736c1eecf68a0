"""Questions in GraphQL, as far as Archivista's clients ask them: `dsses` and `subjects`.

Owns: the schema, what a `where` means, and the limits of a question. Does not own: finding
(`archive_search`). No fragments and no introspection: the schema is this text, and in docs/interop.md.
Source: GraphQL, October 2021; Archivista, ent.graphql, of which this is a part with the same names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLSchema,
    InlineFragmentNode,
    Node,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    build_schema,
    parse,
    specified_rules,
    validate,
)
from graphql.execution import execute_sync

from lineage.errors import LineageError, MalformedError
from lineage.services import archive, archive_search
from lineage.services.archive_search import Found, Wanted

MAX_TOKENS = 1_000
MAX_DEPTH = 12
MAX_FIELDS = 60
MAX_QUESTIONS = 4
"""`dsses` and `subjects` of one question, under whatever aliases."""
MAX_ERRORS = 5
MAX_REMEMBERED = 4_000
"""Characters of a question whose reading is kept."""

SCHEMA = """
type Query {
  dsses(where: DsseWhereInput!): DsseConnection!
  subjects(where: SubjectWhereInput!): SubjectConnection!
}
type DsseConnection { edges: [DsseEdge]  totalCount: Int! }
type DsseEdge { node: Dsse }
type Dsse { gitoidSha256: String!  statement: Statement }
type Statement { predicate: String!  attestationCollections: AttestationCollection }
type AttestationCollection { name: String!  attestations: [Attestation!] }
type Attestation { type: String! }
type SubjectConnection { edges: [SubjectEdge]  totalCount: Int! }
type SubjectEdge { node: Subject }
type Subject { name: String!  subjectDigests: [SubjectDigest!] }
type SubjectDigest { algorithm: String!  value: String! }
input DsseWhereInput {
  gitoidSha256: String  gitoidSha256In: [String!]  gitoidSha256NotIn: [String!]
  hasStatementWith: [StatementWhereInput!]
}
input StatementWhereInput {
  hasAttestationCollectionsWith: [AttestationCollectionWhereInput!]
  hasSubjectsWith: [SubjectWhereInput!]
  hasDsseWith: [DsseWhereInput!]
}
input AttestationCollectionWhereInput { name: String  hasAttestationsWith: [AttestationWhereInput!] }
input AttestationWhereInput { type: String  typeIn: [String!] }
input SubjectWhereInput {
  hasSubjectDigestsWith: [SubjectDigestWhereInput!]
  hasStatementWith: [StatementWhereInput!]
}
input SubjectDigestWhereInput { algorithm: String  value: String  valueIn: [String!] }
"""

Where = Mapping[str, Any]


def answer(query: str, variables: Where | None, operation: str | None) -> dict[str, Any]:
    """The answer to a question: `data`, or `errors` alone where it can't be asked.

    Raises: UnavailableError while the index is still being made.
    """
    asked = _asked(query) if len(query) <= MAX_REMEMBERED else _read(query)
    if not isinstance(asked, DocumentNode):
        return _errors(asked)
    archive.make_level()
    result = execute_sync(_schema(), asked, variable_values=dict(variables or {}), operation_name=operation)
    told = cast("dict[str, Any]", result.formatted)
    if result.errors and result.data is None:
        return _errors(result.errors)
    return told


def _read(query: str) -> DocumentNode | Sequence[Exception]:
    """The question, or what is wrong with it."""
    try:
        document = parse(query, max_tokens=MAX_TOKENS, no_location=True)
        _limit(document)
    except (GraphQLError, RecursionError) as error:
        return [error]
    rules = [*specified_rules, NoSchemaIntrospectionCustomRule]
    return validate(_schema(), document, rules, max_errors=MAX_ERRORS) or document


_asked = lru_cache(32)(_read)
"""Clients ask the same few questions, with other variables."""


def _errors(errors: Sequence[Exception]) -> dict[str, Any]:
    return {"errors": [{"message": getattr(error, "message", "") or str(error)} for error in errors]}


@cache
def _schema() -> GraphQLSchema:
    schema = build_schema(SCHEMA)
    root = schema.query_type
    assert root is not None
    root.fields["dsses"].resolve = _dsses
    root.fields["subjects"].resolve = _subjects
    return schema


def _limit(document: DocumentNode) -> None:
    """Raises: GraphQLError for whatever a question of these clients never is."""
    fields, questions = 0, 0
    pending: list[tuple[Node, int]] = [(each, 0) for each in document.definitions]
    while pending:
        node, depth = pending.pop()
        if isinstance(node, FragmentDefinitionNode | FragmentSpreadNode | InlineFragmentNode):
            raise GraphQLError("Fragments are not understood here.")
        if isinstance(node, FieldNode):
            fields, questions = fields + 1, questions + (depth == 1)
        if depth > MAX_DEPTH or fields > MAX_FIELDS or questions > MAX_QUESTIONS:
            raise GraphQLError(
                f"A question has at most {MAX_QUESTIONS} parts, {MAX_FIELDS} fields and {MAX_DEPTH} levels."
            )
        if isinstance(node, OperationDefinitionNode | FieldNode) and node.selection_set:
            pending += [(each, depth + 1) for each in node.selection_set.selections]


def _dsses(_: Any, info: GraphQLResolveInfo, where: Where) -> dict[str, Any]:
    found = _told(lambda: archive_search.search(_wanted(where)))
    return _connection([_dsse(each) for each in found])


def _subjects(_: Any, info: GraphQLResolveInfo, where: Where) -> dict[str, Any]:
    dsse = _one(_one(where, "hasStatementWith"), "hasDsseWith")
    if set(dsse) != {"gitoidSha256"} or where.keys() - {"hasStatementWith"}:
        raise GraphQLError("Subjects are asked for by the gitoid of their envelope.")
    found = _told(lambda: archive_search.subjects(dsse["gitoidSha256"]))
    return _connection(
        [
            {
                "name": each.name,
                "subjectDigests": [{"algorithm": a, "value": v} for a, v in each.digests.items()],
            }
            for each in found
        ]
    )


def _told(find: Any) -> Any:
    """What was found; what is refused as an error of the question's part."""
    try:
        return find()
    except LineageError as error:
        raise GraphQLError(error.message) from error


def _connection(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    return {"edges": [{"node": node} for node in nodes], "totalCount": len(nodes)}


def _dsse(found: Found) -> dict[str, Any]:
    collection = None
    if found.collection is not None:
        types = [{"type": each} for each in found.attestors]
        collection = {"name": found.collection, "attestations": types}
    statement = {"predicate": found.predicate_type, "attestationCollections": collection}
    return {"gitoidSha256": found.gitoid, "statement": statement}


def _wanted(where: Where) -> Wanted:
    """Raises: MalformedError."""
    statement = _one(where, "hasStatementWith")
    if statement.get("hasDsseWith") is not None:
        raise MalformedError("Say the gitoid of the envelope itself.", where="hasDsseWith")
    collection = _one(statement, "hasAttestationCollectionsWith")
    attestation = _one(collection, "hasAttestationsWith")
    subject = _one(statement, "hasSubjectsWith")
    if subject.get("hasStatementWith") is not None:
        raise MalformedError("Say it of the statement itself.", where="hasSubjectsWith")
    digest = _one(subject, "hasSubjectDigestsWith")
    of_collections = statement.get("hasAttestationCollectionsWith") is not None
    algorithm, values = digest.get("algorithm"), _either(digest, "value", "valueIn")
    exact = algorithm is not None and values is not None and len(values) == 1
    if algorithm is not None and not exact:
        raise MalformedError("A digest's algorithm is given with one value.", where="algorithm")
    return Wanted(
        gitoids=_either(where, "gitoidSha256", "gitoidSha256In"),
        excluded=where.get("gitoidSha256NotIn") or (),
        collection=(collection.get("name") or "") if of_collections else None,
        attestors=_either(attestation, "type", "typeIn"),
        values=None if exact else values,
        digest=f"{algorithm}:{values[0]}" if exact and values else None,
    )


def _either(where: Where, one: str, several: str) -> Sequence[str] | None:
    """The values of a condition; null and an empty list are none. Raises: MalformedError for both."""
    if where.get(one) is not None and where.get(several) is not None:
        raise MalformedError(f"Give {one} or {several}.", where=one)
    if where.get(one) is not None:
        return [where[one]]
    return where.get(several) or None


def _one(where: Where, name: str) -> Where:
    """The condition `name`, empty where there is none. Raises: MalformedError for several."""
    listed = where.get(name) or []
    if len(listed) > 1:
        raise MalformedError("One condition at a time is understood here.", where=name)
    found: Where = listed[0] if listed else {}
    return found
