#!/bin/sh
# Makes notebook.wasm. Needs clang and lld (Debian: apt install clang lld); CC names another clang.
set -eu
cd "$(dirname "$0")"
"${CC:-clang}" --target=wasm32-unknown-unknown -mbulk-memory -O2 -Wall -Wextra -nostdlib -ffreestanding -fno-builtin \
    -I .. -Wl,--no-entry -Wl,--strip-all -o "notebook.wasm" src/*.c
