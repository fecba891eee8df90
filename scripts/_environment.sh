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

make_environment() {
    echo "Making the Python environment in .venv ..." >&2
    if command -v uv >/dev/null 2>&1; then
        uv venv --quiet --clear --python '>=3.11,<3.14' .venv ||
            fail "uv could not make .venv; it needs Python 3.11, 3.12 or 3.13."
        return
    fi
    for candidate in python3.13 python3.12 python3.11 python3 python; do
        if supported "$candidate"; then
            "$candidate" -m venv --clear .venv ||
                fail "Python could not make .venv (Debian and Ubuntu: apt install python3-venv)."
            return
        fi
    done
    fail "No Python 3.11, 3.12 or 3.13 was found; install one of them, or uv, and start again."
}

# mark FILE: what the stamp says once the requirements FILE is installed.
mark() {
    cat requirements.txt "$1" | cksum
}

# ensure_environment FILE: .venv holds what the requirements FILE asks for. A stamp inside it,
# written last, says so; a second call with unchanged requirements installs nothing.
ensure_environment() {
    stamp=.venv/.installed
    if ! "$python" -c 'import sys; sys.exit(sys.prefix == sys.base_prefix)' 2>/dev/null; then
        make_environment
    elif ! supported "$python"; then
        fail "The folder .venv holds another Python than 3.11, 3.12 or 3.13; remove it and start again."
    fi
    if grep -qxF "$(mark "$1")" "$stamp" 2>/dev/null; then
        return
    fi

    echo "Installing the packages of $1 (the first time takes a few minutes) ..." >&2
    rm -f "$stamp"
    if command -v uv >/dev/null 2>&1; then
        uv pip install --quiet --python "$python" -r "$1" || exit 1
    else
        "$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip >/dev/null || exit 1
        "$python" -m pip install --quiet --disable-pip-version-check -r "$1" || exit 1
    fi
    # The development packages include those of the app.
    for file in requirements.txt "$1"; do
        mark "$file"
    done >"$stamp"
}
