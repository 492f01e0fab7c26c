#!/bin/sh
# Makes statistics.wasm. Needs Python 3.10 or newer with venv; COMPONENTIZE_PY names another componentize-py.
set -eu
cd "$(dirname "$0")"
if [ -z "${COMPONENTIZE_PY:-}" ] && [ ! -x .venv/bin/componentize-py ]; then
    python3 -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
fi
"${COMPONENTIZE_PY:-.venv/bin/componentize-py}" --wit-path ../../wit --world plugin \
    componentize --stub-wasi -p src -p .. app -o "statistics.wasm"
