#!/bin/sh
# Makes modules.wasm. Needs clang and lld (Debian: apt install clang lld), and binaryen for wasm-opt; CC and WASM_OPT name others.
set -eu
cd "$(dirname "$0")"
"${CC:-clang}" --target=wasm32-unknown-unknown -mbulk-memory -mmultivalue -Xclang -target-abi -Xclang experimental-mv \
    -O2 -Wall -Wextra -nostdlib -ffreestanding -fno-builtin -I ../../../sdk/c \
    -Wl,--no-entry -Wl,--strip-all -o built.wasm src/library.c
"${WASM_OPT:-wasm-opt}" -Oz --enable-multivalue --enable-bulk-memory built.wasm -o modules.wasm
rm built.wasm
