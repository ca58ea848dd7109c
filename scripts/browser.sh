#!/bin/sh
# Sees to it that there is a Chromium for the tests and the pictures of the registration form. On
# Debian, as root, it installs one; never with NO_INSTALL=1. Ends with 1 where there is none, and
# says what to do.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "error: there is no Chromium"
    say "why:   $1"
    say "hint:  $2"
    exit 1
}

found() { .venv/bin/python -m tests.service.browser >/dev/null 2>&1; }

# Ubuntu's package is a pointer to a snap, which containers and CI machines cannot run.
is_debian() {
    [ -r /etc/os-release ] && command -v apt-get >/dev/null 2>&1 || return 1
    # shellcheck source=/dev/null
    (. /etc/os-release && [ "$ID" = debian ])
}

found && exit 0
own="run: .venv/bin/playwright install chromium"
[ "${NO_INSTALL:-}" != 1 ] || fail "NO_INSTALL=1 forbids to install one" "$own"
is_debian || fail "this is not Debian, where it is a package" "$own"
[ "$(id -u)" = 0 ] || fail "only root can install it here" "as root: apt-get install chromium; or $own"
say "installing chromium"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes apt-get install -y -qq --no-install-recommends \
    chromium fonts-dejavu-core >/dev/null
found || fail "the package chromium was installed and brought none" "$own"
