#!/bin/sh
# Refresh the two locks from pyproject.toml. Needs uv on PATH. One resolution serves both, for
# Python 3.11 to 3.13 and every platform (markers tell them apart):
#   requirements-dev.lock  everything: tests, checks, model building, NPU compilers
#   requirements.lock      what `npubench bench` needs, with the same versions
# Usage: scripts/lock.sh [--upgrade]
set -eu
cd "$(dirname "$0")/.."
command -v uv >/dev/null || { echo "scripts/lock.sh: uv is not installed: pip install uv" >&2; exit 3; }

compile() {
    uv pip compile pyproject.toml --universal --python-version 3.11 --quiet \
        --no-emit-index-url --annotation-style line --custom-compile-command "scripts/lock.sh" "$@"
}
compile --extra train --extra ethos-u --extra board-models --group dev --output-file requirements-dev.lock ${1:+"$1"}
compile --extra ethos-u --group build --constraint requirements-dev.lock \
    --output-file requirements.lock ${1:+"$1"}
