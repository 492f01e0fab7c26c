#!/bin/sh
# Makes statistics.wasm. Needs clang and lld (Debian: apt install clang lld); CC names another clang.
# What the module needs of a machine stays written in it: clang hands it to wasm-opt, where there is one.
set -eu
cd "$(dirname "$0")"
"${CC:-clang}" --target=wasm32-unknown-unknown -mbulk-memory -O2 -Wall -Wextra -nostdlib -ffreestanding -fno-builtin \
    -I .. -Wl,--no-entry -Wl,--strip-debug -o "statistics.wasm" src/*.c
