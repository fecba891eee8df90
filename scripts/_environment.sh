# Sourced by the scripts beside it: goes to the project's folder and keeps its environment, .venv.
# shellcheck shell=sh

project=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 1
cd -- "$project" || exit 1
python=.venv/bin/python

fail() {
    printf '%s\n' "$1" >&2
    exit 1
}

# supported PYTHON: it runs, and is one of those that every pinned package has wheels for.
supported() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null
}

# busy FILE: the start that wrote its process id into FILE is still at work.
busy() {
    [ -f "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null
}

make_environment() {
    echo "Making the Python environment in .venv ..." >&2
    if command -v uv >/dev/null 2>&1; then
        maker="uv venv --quiet --allow-existing --python >=3.11,<3.14"
    else
        maker=
        for candidate in python3.13 python3.12 python3.11 python3 python; do
            if supported "$candidate"; then
                maker="$candidate -m venv"
                break
            fi
        done
    fi
    [ -n "$maker" ] ||
        fail "No Python 3.11, 3.12 or 3.13 was found; install one of them, or uv, and start again."
    rm -rf .venv
    mkdir .venv
    echo $$ >.venv/.making
    # shellcheck disable=SC2086 # a command and its options
    $maker .venv || fail "Could not make .venv with: $maker (Debian, Ubuntu: apt install python3-venv)."
    rm -f .venv/.making
}

# mark FILE: what the stamp says once the requirements FILE is installed.
mark() {
    cksum "$1"
}

# install FILE. What an install broken off has left half copied looks installed to pip and uv, so
# the next one writes every package again.
install() {
    again_uv='' again_pip=''
    if [ -f .venv/.installing ]; then
        again_uv=--reinstall again_pip=--ignore-installed
    fi
    echo "Installing the packages of $1 (the first time takes a few minutes) ..." >&2
    rm -f .venv/.installed
    echo $$ >.venv/.installing
    if command -v uv >/dev/null 2>&1; then
        uv pip install --quiet --python "$python" --require-hashes $again_uv -r "$1" || exit 1
    else
        "$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip >/dev/null || exit 1
        "$python" -m pip install --quiet --disable-pip-version-check --require-hashes $again_pip \
            -r "$1" || exit 1
    fi
    # The development packages include those of the app.
    for file in requirements.txt "$1"; do
        mark "$file"
    done >.venv/.installed
    rm -f .venv/.installing
}

# ensure_environment FILE: .venv holds what the requirements FILE asks for. A stamp inside it,
# written last, says so; a second call with unchanged requirements installs nothing.
ensure_environment() {
    while busy .venv/.making || busy .venv/.installing; do
        sleep 1
    done
    if [ -f .venv/.making ] ||
        ! "$python" -c 'import sys; sys.exit(sys.prefix == sys.base_prefix)' 2>/dev/null; then
        make_environment
    elif ! supported "$python"; then
        fail "The folder .venv holds another Python than 3.11, 3.12 or 3.13; remove it and start again."
    fi
    if [ -f .venv/.installing ] || ! grep -qxF "$(mark "$1")" .venv/.installed 2>/dev/null; then
        install "$1"
    fi
}
