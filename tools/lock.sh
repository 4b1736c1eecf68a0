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
# The tests' file holds only what the two others have not, so that nothing is installed twice, also side by side.
awk '/^[A-Za-z0-9]/ { name = $1; sub(/==.*/, "", name); twice = FILENAME == ARGV[3] && name in had; had[name] = 1 }
     /^#/ { next } FILENAME == ARGV[3] && !twice' \
    requirements/server.txt requirements/build.txt requirements/test.txt >"$tool/test.txt"
cp "$tool/test.txt" requirements/test.txt
