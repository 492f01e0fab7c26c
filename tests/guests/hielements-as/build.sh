#!/bin/sh
# Makes modules.wasm. Needs Node.js with npm; ASC and WASM_OPT name another asc and wasm-opt, of which asc's own package has one.
set -eu
cd "$(dirname "$0")"
if [ -z "${ASC:-}" ] && [ ! -x node_modules/.bin/asc ]; then
    npm install --ignore-scripts --no-fund --no-audit
fi
"${ASC:-node_modules/.bin/asc}" src/library.ts -O3 --runtime stub \
    --use abort=../../../sdk/assemblyscript/casemate/abort -o built.wasm
"${WASM_OPT:-node_modules/.bin/wasm-opt}" -Oz --enable-bulk-memory --enable-sign-ext --enable-nontrapping-float-to-int \
    built.wasm -o modules.wasm
rm built.wasm
