#!/bin/sh
# Makes {{name}}.wasm. Needs clang and lld (Debian: apt install clang lld); CC names another clang.
set -eu
cd "$(dirname "$0")"
"${CC:-clang}" --target=wasm32-unknown-unknown -mbulk-memory -O2 -Wall -Wextra -nostdlib -ffreestanding -fno-builtin \
    -I sdk/c -Wl,--no-entry -Wl,--strip-all -o "{{name}}.wasm" src/*.c
