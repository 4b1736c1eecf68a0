"""Secrets in texts: what is masked, what is left alone, always in the same way, in bounded time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.mlflow import masking

ADDRESSES = [
    ("https://user:hunter2@h.example/x", "https://***@h.example/x"),
    ("https://hunter2@h.example/x", "https://***@h.example/x"),
    ("HTTPS://u:hunter2@h/x", "HTTPS://***@h/x"),
    ("postgresql://u:hun/ter2@h:5432/db", "postgresql://***@h:5432/db"),
    ("postgresql://u:hunter2?x@h/db", "postgresql://***@h/db"),
    ("postgresql://u:123/hunter2@h/db", "postgresql://***@h/db"),
    ("redis://:hunter2@h:6379/0", "redis://***@h:6379/0"),
    ("redis://:12/hunter2@h:6379/0", "redis://***@h:6379/0"),
    ("mysql+pymysql://u:hunter2@[::1]/db?charset=utf8", "mysql+pymysql://***@[::1]/db?charset=utf8"),
    ("snowflake://u:hun@ter2@acc/db", "snowflake://***@acc/db"),
    ("wasbs://c:hunter2@account/p", "wasbs://***@account/p"),
    ("//u:hunter2@h/x", "//***@h/x"),
    ("https://user:hunter2@h:80/a@b", "https://***@h:80/a@b"),
    ("s3://u:hunter2@h/x and s3://v:hunter2@h/y", "s3://***@h/x and s3://***@h/y"),
    ("url=https://u:hunter2@h/x,other=1", "url=https://***@h/x,other=1"),
    ("https://x/?key=hunter2", "https://x/?key=***"),
    ("https://x/y?token=hunter2&v=1", "https://x/y?token=***&v=1"),
    ("https://x/y#access_token=hunter2&b=1", "https://x/y#access_token=***&b=1"),
    ("https://x/y?a=1;password=hunter2", "https://x/y?a=1;password=***"),
    (
        "s3://b/k?X-Amz-Credential=hunter2%2Fx&X-Amz-Date=20260101&X-Amz-Signature=hunter2",
        "s3://b/k?X-Amz-Credential=***&X-Amz-Date=***&X-Amz-Signature=***",
    ),
    (
        "https://a.blob.core.windows.net/c/b?sv=2022-11-02&st=x&se=2026&sr=b&sp=r&sig=hunter2%3D",
        "https://a.blob.core.windows.net/c/b?sv=***&st=***&se=***&sr=***&sp=***&sig=***",
    ),
    (
        "https://b.s3.amazonaws.com/k?AWSAccessKeyId=hunter2&Signature=hunter2%3D&Expires=1",
        "https://b.s3.amazonaws.com/k?AWSAccessKeyId=***&Signature=***&Expires=1",
    ),
    ("https://g/o?X-Goog-Signature=hunter2", "https://g/o?X-Goog-Signature=***"),
    (
        "jdbc:mysql://h/db?user=a&password=hunter2&useSSL=no",
        "jdbc:mysql://h/db?user=a&password=***&useSSL=no",
    ),
    ("jdbc:oracle:thin:scott/hunter2@//h:1521/svc", "jdbc:oracle:thin:***@//h:1521/svc"),
    ("jdbc:oracle:thin:scott/hun/ter2@h:1521:svc", "jdbc:oracle:thin:***@h:1521:svc"),
    (
        "jdbc:sqlserver://h;user=sa;password=hun ter2;encrypt=true",
        "jdbc:sqlserver://h;user=sa;password=***;encrypt=true",
    ),
    (
        "Driver={ODBC 18};Server=tcp:h,1433;Uid=sa;Pwd={hun;ter2};Encrypt=yes",
        "Driver={ODBC 18};Server=tcp:h,1433;Uid=sa;Pwd=***;Encrypt=yes",
    ),
    ("Driver={ODBC 18};Uid=sa;Pwd=hun ter2", "Driver={ODBC 18};Uid=sa;Pwd=***"),
    ("Password=hun ter2;User Id=sa", "Password=***;User Id=sa"),
    (
        "AccountName=a;AccountKey=hunter2+/==;EndpointSuffix=core.windows.net",
        "AccountName=a;AccountKey=***;EndpointSuffix=core.windows.net",
    ),
    (
        "Endpoint=sb://h/;SharedAccessKeyName=Root;SharedAccessKey=hunter2=",
        "Endpoint=sb://h/;SharedAccessKeyName=Root;SharedAccessKey=***",
    ),
    ("host=h user=u password='hun ter2' dbname=d", "host=h user=u password='***' dbname=d"),
    ("x=password=hunter2", "x=password=***"),
    ("redirect=https%3A%2F%2Fu%3Ahunter2%40host%2Fx", "redirect=https%3A%2F%2F***%40host%2Fx"),
    (r'{"url": "https:\/\/u:hunter2@h\/x"}', r'{"url": "https:\/\/***@h\/x"}'),
    ("PGPASSWORD=hunter2 psql", "PGPASSWORD=*** psql"),
]
TEXTS = [
    ('{"query": "q", "password": "hunter2"}', '{"query": "q", "password": "***"}'),
    (r'{"password": "hun\"ter2", "x": 1}', '{"password": "***", "x": 1}'),
    (r'{"conn": "{\"password\": \"hunter2\"}"}', r'{"conn": "{\"password\": \"***\"}"}'),
    ("{'password': 'hunter2'}", "{'password': '***'}"),
    ('{"token": hunter2}', '{"token": ***}'),
    ('{"a": 1, "password": "hunter2 and cut', '{"a": 1, "password": "***"'),
    ("train.py --password hunter2 --lr 0.1", "train.py --password *** --lr 0.1"),
    ("train.py --password 'hun ter2' --lr 0.1", "train.py --password '***' --lr 0.1"),
    ("train.py --hf-token=hunter2 --lr 0.1", "train.py --hf-token=*** --lr 0.1"),
    ("Authorization: Bearer hunter2", "Authorization: Bearer ***"),
    ('{"Authorization": "Basic aHVudGVyMg=="}', '{"Authorization": "***"}'),
    ("curl -H 'Bearer abcdefghijklmnop1234'", "curl -H 'Bearer ***'"),
    ("password: hunter2", "password: ***"),
    ("client-secret: hunter2", "client-secret: ***"),
    ("clientSecret=hunter2", "clientSecret=***"),
    ("at ghp_abcdefghijklmnopqrstuvwxyz0123456789", "at ***"),
    ("hf_abcdefghijklmnopqrstuvwxyzABCDEF", "***"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-_", "***"),
    ("AKIAABCDEFGHIJKLMNOP", "***"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "***"),
    ("-----BEGIN PRIVATE KEY-----\nMIIE, cut", "***"),
]
HARMLESS = [
    "",
    "0.1",
    "http://h:8080/x/@user",
    "http://[::1]:8080/@x",
    "https://medium.com/@user/x",
    "abfss://container@account.dfs.core.windows.net/p",
    "ssh://git@github.com/x.git",
    "git@github.com:org/x.git",
    "https://x/y?se=0.3&lr=1",
    "https://h/a?b=c@d",
    "https://h/x;jsessionid=1",
    "max_tokens=512 eos_token=</s> pad_token_id=0 seed=42 key_dim=64 n_keys=3",
    "image_key=jpg sort_key: a primary-key=id key=value",
    "first_pass: 0.5 n_pass=3 bypass=1",
    "signature: abc",
    "basic transformer",
    "image: repo/name:tag@sha256:abc",
    "precision@5=0.3",
    "models:/m-123",
    "lineage.base_model=sha256:abc",
    "time_per_token=0.2",
]


@pytest.mark.parametrize(("given_text", "masked"), ADDRESSES)
def test_addresses_and_connection_strings(given_text: str, masked: str) -> None:
    assert masking.url(given_text) == masked
    assert masking.text(given_text) == masked


@pytest.mark.parametrize(("given_text", "masked"), TEXTS)
def test_free_texts(given_text: str, masked: str) -> None:
    assert masking.text(given_text) == masked


@pytest.mark.parametrize("given_text", HARMLESS)
def test_what_is_no_secret_is_left_alone(given_text: str) -> None:
    assert masking.text(given_text) == given_text


@pytest.mark.parametrize("given_text", [pair[0] for pair in ADDRESSES + TEXTS])
def test_inside_of_other_texts(given_text: str) -> None:
    told = masking.text(f"note (see {given_text}")
    assert "hunter2" not in told
    assert "ter2" not in told


@pytest.mark.parametrize("given_text", [pair[0] for pair in ADDRESSES + TEXTS])
def test_masking_twice_changes_nothing(given_text: str) -> None:
    once = masking.text(given_text)
    assert masking.text(once) == once
    assert masking.url(masking.url(given_text)) == masking.url(given_text)


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("password", True),
        ("db_password", True),
        ("MYSQL_PWD", True),
        ("apiKey", True),
        ("API-KEY", True),
        ("aws_secret_access_key", True),
        ("HF_TOKEN", True),
        ("hubToken", True),
        ("token", True),
        ("client.secret", True),
        ("eos_token", False),
        ("eosToken", False),
        ("max_new_token", False),
        ("tokenizer", False),
        ("sort_key", False),
        ("keys", False),
        ("second_pass", False),
        ("passenger", False),
        ("signature", False),
        ("lineage.dataset.password.sha256", False),
    ],
)
def test_names_of_secrets(name: str, secret: bool) -> None:
    assert masking.secret_name(name) is secret
    assert masking.named(name, "hunter2") == ("***" if secret else "hunter2")
    assert masking.named(name, "") == ""


ALPHABET = st.sampled_from(
    [*"ab =:@/?&;,\"'\\{}%-_.*\n0", "password", "token", "://", "--", "%3A%2F%2F", "%40", "ü"]
)


@given(st.lists(ALPHABET, max_size=40).map("".join))
def test_any_text_is_masked_the_same_once_and_twice(given_text: str) -> None:
    once = masking.text(given_text)
    assert masking.text(given_text) == once
    assert masking.text(once) == once


@given(st.lists(ALPHABET, max_size=10).map("".join), st.lists(ALPHABET, max_size=10).map("".join))
def test_a_quoted_password_never_stays(before: str, after: str) -> None:
    assert "hunter2" not in masking.text(f'{before}\n password="hunter2"{after}')


@pytest.mark.parametrize(
    "part",
    [
        *(
            "{password=",
            '"a=',
            "a=",
            "://",
            "a:a:",
            "://a:",
            "password='",
            '\\"password\\":',
            "-a ",
            "%3A%2F%2F",
        ),
        *(
            "eyJ",
            "a.b-",
            "token ",
            "-----BEGIN PRIVATE KEY-----",
            "password: ",
            "jdbc:oracle:thin:",
            "; a",
            "a b ",
        ),
    ],
)
def test_long_hostile_texts_are_masked_at_all(part: str) -> None:
    """What is quadratic takes minutes here, and the suite ends it."""
    text = part * (200_000 // len(part))
    assert isinstance(masking.text(text), str)
    assert isinstance(masking.secret_name(text), bool)
