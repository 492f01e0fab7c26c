#!/bin/sh
# Makes statistics.wasm. Needs Node.js with npm; ASC names another asc.
set -eu
cd "$(dirname "$0")"
if [ -z "${ASC:-}" ] && [ ! -x node_modules/.bin/asc ]; then
    npm install --ignore-scripts --no-fund --no-audit
fi
"${ASC:-node_modules/.bin/asc}" src/plugin.ts -O3 --runtime minimal \
    --use abort=../casemate/abort -o "statistics.wasm"
