#!/bin/sh
# Makes the file that is named. ASC names AssemblyScript's compiler.
set -eu
cd "$(dirname "$0")"
"${ASC:-asc}" extension.ts -O3 --runtime stub --use abort=extension/abort -o "$1"
