#!/bin/sh
# Makes .venv from the locked requirements. Where nothing in them changed since the last time, it
# is done at once.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "error: $1"
    say "hint:  $2"
    exit 1
}

may_install() {
    [ "${NO_INSTALL:-}" != 1 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1
}

find_python() {
    for name in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s' "$name"
            return
        fi
    done
    fail "no Python 3.11 or newer was found" "install one, or name it: make setup PYTHON=/path/to/python3"
}

# Debian keeps what venv needs in a package of its own.
ensure_venv_module() {
    "$python" -c 'import ensurepip, venv' 2>/dev/null && return
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    may_install || fail "$python cannot make virtual environments" \
        "install its venv module: apt-get install python$version-venv"
    say "installing python$version-venv"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes apt-get install -y -qq --no-install-recommends \
        "python$version-venv" >/dev/null
}

works() {
    .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null &&
        .venv/bin/python -m pip --version >/dev/null 2>&1
}

python=$(find_python)
stamp=.venv/.schoolctl-stamp
# The folder is part of it: an environment that was moved or copied leads to the old place.
wanted=$({ pwd && cat requirements/dev.txt pyproject.toml; } | sha256sum | cut -d' ' -f1)
if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && works; then
    exit 0
fi

if ! works; then
    ensure_venv_module
    say "making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
fi
rm -f "$stamp"
say "installing the locked requirements"
pip() { .venv/bin/python -m pip --disable-pip-version-check --quiet "$@"; }
pip install --require-hashes -r requirements/dev.txt
pip install --no-deps --no-build-isolation -e .
printf '%s\n' "$wanted" >"$stamp"
