#!/bin/sh
# Makes the file that is named. ASC names AssemblyScript's compiler.
set -eu
cd "$(dirname "$0")"
"${ASC:-asc}" plugin.ts -O3 --runtime minimal --exportRuntime -o "$1"
