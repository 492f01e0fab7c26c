#!/bin/sh
# Makes dist/plugin.wasm: TypeScript by esbuild, and then a program of QuickJS with that script in it, which is what Javy's command line
# would make. Needs Node.js with npm, clang, libclang and wasi-libc (Debian: apt install clang libclang1 wasi-libc
# libclang-rt-14-dev-wasm32) and Rust's wasm32-wasip1. ESBUILD, TSC and CC name other programs, CARGO_TARGET_DIR another folder.
set -eu
cd "$(dirname "$0")"
if [ -z "${ESBUILD:-}" ] && [ ! -x node_modules/.bin/esbuild ]; then
    npm install --no-fund --no-audit
fi
"${TSC:-node_modules/.bin/tsc}"
"${ESBUILD:-node_modules/.bin/esbuild}" src/main.ts --bundle --format=iife --platform=neutral --target=es2022 \
    --alias:@pocket/plugin-sdk=./sdk/index.ts --log-level=warning --outfile=dist/plugin.js
# The crate of QuickJS would fetch an SDK of its own, and looks for C's headers where the host has its own.
export SCRIPT="$PWD/dist/plugin.js" RQUICKJS_SYS_NO_WASI_SDK=1
export CC_wasm32_wasip1="${CC:-clang}" CFLAGS_wasm32_wasip1=--target=wasm32-wasi
export BINDGEN_EXTRA_CLANG_ARGS_wasm32_wasip1="--target=wasm32-wasi -I/usr/include/wasm32-wasi"
cargo build --quiet --release --locked --target wasm32-wasip1 --manifest-path engine/Cargo.toml
cp "${CARGO_TARGET_DIR:-engine/target}/wasm32-wasip1/release/pocket-javascript.wasm" dist/plugin.wasm
