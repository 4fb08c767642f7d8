#!/bin/sh
# Builds the page of viewer/ into the package, and touches the file it is given; without Node.js it says so and leaves it.
set -eu
done=$1
folder=$(dirname "$0")/../viewer

without() {
    echo "$1 Without it there is no page; everything else works." >&2
    exit 0
}

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    without "Node.js with npm is missing: version 20.19, or 22.12 and newer, builds the page of \`millrace serve\`."
fi
if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)'; then
    without "Node.js is $(node --version), and building the page of \`millrace serve\` needs 20.19, or 22.12 and newer."
fi

cd "$folder"
if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
    npm ci --ignore-scripts --no-audit --no-fund --silent
    touch node_modules/.package-lock.json
fi
npm run --silent build -- --logLevel warn
cd - >/dev/null
touch "$done"
