#!/bin/sh
# Makes statistics.wasm. Needs Node.js with npm; COMPONENTIZE_QJS names another componentize-qjs.
set -eu
cd "$(dirname "$0")"
if [ -z "${COMPONENTIZE_QJS:-}" ] && [ ! -x node_modules/.bin/componentize-qjs ]; then
    npm install --ignore-scripts --no-fund --no-audit
fi
"${COMPONENTIZE_QJS:-node_modules/.bin/componentize-qjs}" --js src/plugin.js --module-root .. \
    --wit ../../wit --world plugin --stub-wasi --sync -o "statistics.wasm"
