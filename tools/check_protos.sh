#!/bin/sh
# Fails when gen/ is not what protos/ give, or when a message changed in a way that old readers cannot take.
# Usage: tools/check_protos.sh ENVIRONMENT
set -eu
cd "$(dirname "$0")/.."
environment=$1
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
tools/generate_protos.sh "$environment/protos/bin/python" "$fresh/gen" >"$fresh/log" 2>&1 || { cat "$fresh/log" >&2; exit 1; }
diff -r -x __pycache__ gen "$fresh/gen" || { echo "gen/ is stale: run 'make protos'" >&2; exit 1; }
# The published contracts are those of the newest release; before the first one there is nothing to break.
released=$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null || true)
if [ -n "$released" ]; then
    "$environment/bin/buf" breaking protos --against ".git#tag=$released,subdir=protos"
fi
echo "protos: gen/ is fresh; contracts agree with ${released:-the first release to come}"
