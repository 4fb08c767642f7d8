#!/bin/sh
# Names, in one sentence each, the tools this machine lacks to build millrace; says nothing when all are there.
python=$1

version_of() { sed -n 's/^[a-z]* \([0-9]*\)\.\([0-9]*\).*/\1 \2/p'; }
missing() {
    echo "$1" >&2
    status=1
}
status=0

rust=$(cargo --version 2>/dev/null | version_of)
if ! command -v cargo >/dev/null; then
    missing "cargo is missing: install Rust 1.89 or newer with rustup (https://rustup.rs), then open a new shell."
elif [ -z "$rust" ]; then
    missing "cargo is there but does not run: \`rustup toolchain install stable\` installs what rust-toolchain.toml asks for."
elif [ "${rust%% *}" -eq 1 ] && [ "${rust##* }" -lt 89 ]; then
    missing "cargo is version ${rust% *}.${rust#* }, and millrace needs 1.89 or newer: run \`rustup update stable\`."
fi

if ! command -v cc >/dev/null; then
    missing "A C compiler is missing (zstd and the TLS library are written in C): \`apt-get install build-essential\`, or your system's equivalent, installs one."
fi

if ! command -v "$python" >/dev/null; then
    missing "$python is missing: install Python 3.11 or newer, or name it with \`make PYTHON=/path/to/python\`."
elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    missing "$python is $("$python" --version 2>&1), and millrace needs Python 3.11 or newer: install one and name it with \`make PYTHON=/path/to/python\`."
elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    missing "$python cannot make virtual environments: \`apt-get install python3-venv\`, or your system's equivalent, adds that."
fi

exit $status
