#!/bin/sh
# Makes the file that is named. ASC names AssemblyScript's compiler. What throws traps: there is no log here.
set -eu
cd "$(dirname "$0")"
"${ASC:-asc}" plugin.ts -O3 --runtime stub --use abort= -o "$1"
