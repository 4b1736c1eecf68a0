"""What a pipeline installs: describe files, sign a statement about them, send it. No Django, no database.

    from pathlib import Path
    from lineage.client import Client, attest, read_private_key

    envelope = attest(
        key=read_private_key(Path("pipeline.pem")),
        subjects=["model.safetensors"],
        materials=["data/train.csv", "base=sha256:9f86d0…", "https://example.org/corpus"],
        predicate_type="urn:lineage:predicate:training-run:v1",
        predicate={"builder": {"id": "https://ci.example.org/train"}, "invocationId": "4711"},
    )
    receipt = Client("https://lineage.example.org", "lin_…").send(envelope, wait="projected")
    print(receipt.index, receipt.digest)

Every error is a `lineage.errors.LineageError`; what the server refused is raised as the class that names
the reason (`NotAllowedError`, `SignerUnknownError` …) with the server's words.
"""

from lineage.client.keyfiles import read_private_key, read_public_key, write_key_pair
from lineage.client.references import describe
from lineage.client.sending import Client, Receipt, Wait
from lineage.client.statements import attest, build_statement, parse_predicate

__all__ = [
    "Client",
    "Receipt",
    "Wait",
    "attest",
    "build_statement",
    "describe",
    "parse_predicate",
    "read_private_key",
    "read_public_key",
    "write_key_pair",
]
