#!/bin/sh
# Resolve pyproject.toml into the lock files: names, versions, hashes; no download addresses.
# The development lock is resolved first and binds the two others, so that all three agree.
set -eu
cd "$(dirname "$0")/../.."
compile() {
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-header --no-annotate "$@"
}
compile "$@" pyproject.toml --group dev -o requirements-dev.lock
compile "$@" pyproject.toml -c requirements-dev.lock -o requirements.lock
compile "$@" --group fuzz -c requirements-dev.lock -o requirements-fuzz.lock
compile "$@" --group build -c requirements-dev.lock -o requirements-build.lock
