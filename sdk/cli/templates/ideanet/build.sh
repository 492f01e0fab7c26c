#!/bin/sh
# Makes {{name}}.wasm. Once before: rustup target add wasm32-wasip1
set -eu
cd "$(dirname "$0")"
target=${CARGO_TARGET_DIR:-target}
cargo build --release --target wasm32-wasip1 --target-dir "$target"
cp "$target/wasm32-wasip1/release/{{crate}}.wasm" "{{name}}.wasm"
