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

# lock: take the lock of descriptor 9 unless another start has it. It goes with its processes,
# however they end.
lock() {
    if command -v flock >/dev/null 2>&1; then
        flock -n 9
    elif command -v perl >/dev/null 2>&1; then # macOS; 6 is LOCK_EX | LOCK_NB
        perl -e 'open(LOCK, ">&=9") && flock(LOCK, 6) || exit 1'
    fi
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
    find .venv/ -mindepth 1 -maxdepth 1 ! -name .starting -exec rm -rf {} +
    : >.venv/.making
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
    : >.venv/.installing
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

made() {
    [ ! -f .venv/.making ] &&
        "$python" -c 'import sys; sys.exit(sys.prefix == sys.base_prefix)' 2>/dev/null
}

# installed FILE: a stamp that is written last says so.
installed() {
    [ ! -f .venv/.installing ] && grep -qxF "$(mark "$1")" .venv/.installed 2>/dev/null
}

# ensure_environment FILE: .venv holds what the requirements FILE asks for. A second call with
# unchanged requirements writes nothing.
ensure_environment() {
    if made && supported "$python" && installed "$1"; then
        return
    fi
    mkdir -p .venv
    exec 9>>.venv/.starting
    lock || {
        echo "Waiting for another start, which makes the Python environment in .venv ..." >&2
        until lock; do sleep 1; done
    }
    made || make_environment
    supported "$python" ||
        fail "The folder .venv holds another Python than 3.11, 3.12 or 3.13; remove it and start again."
    installed "$1" || install "$1"
    exec 9>&-
}
