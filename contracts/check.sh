#!/bin/sh
# Show that the committed bytecode is what the sources give. Needs node; says so and passes where there is none.
set -eu
cd "$(dirname "$0")"
if ! command -v node >/dev/null 2>&1; then
    echo "contracts: node is not installed, so the committed bytecode was NOT compared with the sources"
    exit 0
fi
[ -d node_modules/solc ] || npm install --no-package-lock --no-audit --no-fund --ignore-scripts
node compile.mjs --check
echo "contracts: the committed bytecode is what the sources give"
