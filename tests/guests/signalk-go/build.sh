#!/bin/sh
# Makes the file that is named. Needs Go 1.24 or newer; GO names another go.
set -eu
cd "$(dirname "$0")"
export GOOS=wasip1 GOARCH=wasm
"${GO:-go}" build -buildmode=c-shared -trimpath -ldflags="-s -w" -o "$1" .
