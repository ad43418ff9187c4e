#!/usr/bin/env bash
# Makes the virtual environment from the pinned versions; run by make when these change.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1
command -v "$PYTHON" >/dev/null || PYTHON=python3
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Sluice needs Python 3.11 or newer; found $("$PYTHON" --version). Name one: make PYTHON=python3.11 ..." >&2
    exit 1
}
if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    rm -rf "$venv"
    if ! "$PYTHON" -m venv "$venv" >/dev/null 2>&1; then
        # Debian keeps venv in a package of its own.
        version=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        echo "Installing python$version-venv"
        as_root=$([ "$(id -u)" = 0 ] || echo sudo)
        $as_root apt-get update -qq
        $as_root apt-get install -y -qq "python$version-venv"
        rm -rf "$venv"
        "$PYTHON" -m venv "$venv"
    fi
fi
echo "Installing the pinned packages into $venv (2.6 GB; a few minutes, once)"
# DeepSpeed's own set-up looks at the torch that is there.
"$venv/bin/python" -m pip install --quiet --upgrade setuptools wheel ninja packaging torch --constraint constraints.txt
"$venv/bin/python" -m pip install --quiet --constraint constraints.txt --no-build-isolation --editable '.[dev]'
# mypy does not see through the package mapping, so it gets a folder of links.
mkdir -p .types/sluice
for folder in flows preprocess training inference infra; do ln -sfn "../../$folder" ".types/sluice/$folder"; done
ln -sfn ../../sluice/__init__.py .types/sluice/__init__.py
