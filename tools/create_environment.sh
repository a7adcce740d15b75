#!/bin/sh
# Makes a Python environment with the installer in it. Usage: tools/create_environment.sh PYTHON FOLDER
set -eu
python=$1
folder=$2
root=$(cd "$(dirname "$0")/.." && pwd)
command -v "$python" >/dev/null || { echo "$python was not found: install Python 3.11 or later, or name it with PYTHON=" >&2; exit 2; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "$("$python" --version) is too old: OpenManager needs Python 3.11 or later; name one with PYTHON=" >&2
    exit 2
}
if [ ! -x "$folder/bin/pip" ]; then
    "$python" -m venv "$folder" || {
        rm -rf "$folder"
        echo "Python's venv module is missing: on Debian and Ubuntu run 'apt install python3-venv'" >&2
        exit 2
    }
fi
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$root/requirements/build.txt"
