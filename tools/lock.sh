#!/bin/sh
# Writes requirements/*.txt anew from pyproject.toml and requirements/*.in: hashed, for every platform, naming no host.
# Usage: tools/lock.sh UV
set -eu
cd "$(dirname "$0")/.."
compile() { "$uv" pip compile -q --universal --generate-hashes --no-annotate --no-header --python-version 3.11 "$@"; }
uv=$1
compile pyproject.toml -o requirements/core.txt
compile pyproject.toml --extra postgres -c requirements/core.txt -o requirements/postgres.txt
compile -c requirements/core.txt requirements/dev.in -o requirements/dev.txt
compile -c requirements/core.txt pyproject.toml requirements/pictures.in -o requirements/pictures.txt
for name in build protos node; do compile "requirements/$name.in" -o "requirements/$name.txt"; done
if grep -l :// requirements/*.txt; then echo "a lock file names a host" >&2; exit 1; fi
