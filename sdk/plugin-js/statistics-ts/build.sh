#!/bin/sh
# Makes statistics.wasm. Needs Node.js with npm; TSC and COMPONENTIZE_QJS name other ones than those of package.json.
set -eu
cd "$(dirname "$0")"
if [ -z "${TSC:-}" ] && [ ! -x node_modules/.bin/tsc ]; then
    npm install --ignore-scripts --no-fund --no-audit
fi
"${TSC:-node_modules/.bin/tsc}" --project .
"${COMPONENTIZE_QJS:-node_modules/.bin/componentize-qjs}" --js build/plugin.js --module-root .. \
    --wit ../../wit --world plugin --stub-wasi --sync -o "statistics.wasm"
