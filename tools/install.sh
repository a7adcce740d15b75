#!/bin/sh
# Installs into an environment. Usage: tools/install.sh ENVIRONMENT -r LOCKFILE | --editable
# uv is several times faster; pip is the one that reads pip's own settings, such as a mirror, so it is tried when uv cannot.
set -eu
environment=$1
shift
if [ "$1" = "--editable" ]; then
    exec "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
fi
"$environment/bin/uv" pip install --quiet --python "$environment/bin/python" --require-hashes "$@" ||
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes "$@"
