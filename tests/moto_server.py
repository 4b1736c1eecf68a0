"""A real server that speaks S3: moto's, as a process, which looks at signatures."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3

from lineage.localservices.service import CALL_SECONDS, LOOPBACK, Launch, LocalService

REGION = "eu-central-1"


class Moto(LocalService):
    name = "moto_server"

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def _password_file(self) -> Path:
        return self.directory / "password"

    def _prepare(self) -> None:
        """Its objects are in its memory."""

    @contextmanager
    def _launch(self) -> Iterator[Launch]:
        server = "from moto.server import main; main()"
        yield Launch([sys.executable, "-c", server, "-H", LOOPBACK, "-p", str(self.port)])

    def _answers(self) -> bool:
        try:
            with urllib3.PoolManager(retries=False, timeout=CALL_SECONDS) as http:
                return bool(http.request("GET", f"{self.url}/moto-api/data.json").status == 200)
        except urllib3.exceptions.HTTPError:
            return False

    def want_signatures(self, want: bool) -> None:
        """Whether requests from now on have to be signed by a user that there is."""
        with urllib3.PoolManager(retries=False, timeout=CALL_SECONDS) as http:
            told = b"0" if want else b"1000000000"
            assert http.request("POST", f"{self.url}/moto-api/reset-auth", body=told).status == 200

    def client(self, service: str) -> Any:
        """Of the service's own library, for what tests put there."""
        from botocore.session import Session  # type: ignore[import-untyped]

        return Session().create_client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def user(self) -> tuple[str, str]:
        """Access key id and secret key of a new user who may read objects."""
        iam = self.client("iam")
        iam.create_user(UserName="reader")
        policy = (
            '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", '
            '"Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}]}'
        )
        iam.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=policy)
        key = iam.create_access_key(UserName="reader")["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]
