#!/bin/sh
# Compile the lock files: exact versions with hashes, and no registry's address or folder in them.
set -eu
cd "$(dirname "$0")/.."
tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
.venv/bin/python -m venv "$tool"
"$tool/bin/pip" -q install pip-tools
compile() {
    "$tool/bin/pip-compile" -q --generate-hashes --no-emit-index-url --no-emit-find-links --strip-extras \
        --allow-unsafe --no-header "$@"
}
compile --extra server --extra verify --extra hsm --extra storage --extra formats --extra otel --extra example -o requirements/server.txt pyproject.toml
compile -o requirements/client.txt -c requirements/server.txt pyproject.toml
compile -o requirements/build.txt requirements/build.in
compile --extra server --extra verify --extra hsm --extra storage --extra formats --extra otel --extra example -c requirements/server.txt -c requirements/build.txt \
    -o requirements/test.txt pyproject.toml requirements/test.in
