#!/bin/sh
# Makes {{name}}.wasm. Needs clang++ and lld (Debian: apt install clang lld); CXX names another clang++.
# What the module needs of a machine stays written in it: clang hands it to wasm-opt, where there is one.
set -eu
cd "$(dirname "$0")"
"${CXX:-clang++}" --target=wasm32-unknown-unknown -mbulk-memory -std=c++17 -O2 -Wall -Wextra -nostdlib -ffreestanding \
    -fno-builtin -fno-exceptions -fno-rtti -fno-threadsafe-statics \
    -I sdk/c -Wl,--no-entry -Wl,--strip-debug -o "{{name}}.wasm" src/*.cpp
