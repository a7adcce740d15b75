#!/bin/sh
# Writes gen/ from protos/. Usage: tools/generate_protos.sh PYTHON [OUT]
# PYTHON must have requirements/protos.txt installed; see docs/adr/0003 for why that is an environment of its own.
set -eu
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
root=$(cd "$(dirname "$0")/.." && pwd)
out=${2:-$root/gen}
bin=$(dirname "$python")
rm -rf "$out"
mkdir -p "$out"
cd "$root/protos"
PATH="$bin:$PATH" "$python" -m grpc_tools.protoc -I . \
    --python_out="$out" --grpc_python_out="$out" --mypy_out="$out" --mypy_grpc_out="$out" \
    $(find openmanager -name '*.proto' | sort)
find "$out" -type d -exec touch {}/__init__.py \;
rm "$out/__init__.py"
touch "$out/openmanager/py.typed"
