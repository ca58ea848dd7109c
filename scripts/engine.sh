#!/bin/sh
# Sees to it that a Docker engine answers. On Debian and Ubuntu, as root, it installs and starts
# one; never where DOCKER_HOST or a docker context says that the engine is somewhere else, nor with
# NO_INSTALL=1. Ends with 1 where none answers, and says what to do.
set -eu
cd "$(dirname "$0")/.."

log=/var/log/schoolctl-dockerd.log
wait_seconds=60

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "error: no Docker engine answers"
    say "why:   $1"
    say "hint:  $2"
    exit 1
}

# Asked through the library that schoolctl itself uses; a docker command may be missing.
answers() {
    .venv/bin/python -c 'import os; from schoolctl.docker.connect import connect_docker; connect_docker(os.environ)[0].ping()' >/dev/null 2>&1
}

context() {
    [ -n "${DOCKER_CONTEXT:-}" ] && printf '%s' "$DOCKER_CONTEXT" && return
    .venv/bin/python -c '
import docker.context
print(docker.context.ContextAPI.get_current_context().name)' 2>/dev/null || printf default
}

may_install() {
    [ "${NO_INSTALL:-}" != 1 ] && [ "$(id -u)" = 0 ] && is_debian_or_ubuntu
}

is_debian_or_ubuntu() {
    [ -r /etc/os-release ] && command -v apt-get >/dev/null 2>&1 || return 1
    # shellcheck source=/dev/null
    (. /etc/os-release && case " $ID ${ID_LIKE:-} " in *" debian "* | *" ubuntu "*) ;; *) exit 1 ;; esac)
}

install() {
    say "installing $*"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Debian 12 has the docker command in docker.io itself, later releases in a package beside it.
engine_packages() {
    printf 'docker.io'
    if apt-cache show docker-cli >/dev/null 2>&1; then printf ' docker-cli'; fi
}

start() {
    if [ -d /run/systemd/system ]; then
        say "starting the Docker engine"
        systemctl start docker
        return
    fi
    say "starting the Docker engine (dockerd, its log is $log)"
    setsid dockerd >"$log" 2>&1 </dev/null &
}

wait_for_answer() {
    waited=0
    until answers; do
        if [ "$waited" -ge "$wait_seconds" ]; then
            fail "dockerd was started and does not answer after $wait_seconds seconds: \
$(tail -n 3 "$log" 2>/dev/null)" "look into $log; in a container, dockerd needs --privileged"
        fi
        sleep 1
        waited=$((waited + 1))
    done
}

# Base images come from a registry, or are made from Debian packages where none can be reached.
ensure_base_images() {
    command -v mmdebstrap >/dev/null 2>&1 && return
    command -v debootstrap >/dev/null 2>&1 && return
    may_install || return 0
    .venv/bin/python -c '
import socket
socket.create_connection(("registry-1.docker.io", 443), timeout=5)' 2>/dev/null && return
    say "no image registry can be reached: base images will be made from Debian packages"
    install mmdebstrap debian-archive-keyring
}

# A registry that demands a login, where the argument is `tests`. Its package starts a service where there is
# systemd, which nobody wants on a machine of one's own.
ensure_registry() {
    command -v docker-registry >/dev/null 2>&1 && return
    may_install || return 0
    [ ! -d /run/systemd/system ] || [ "${CI:-}" = true ] || return 0
    install docker-registry
}

if ! answers; then
    [ -z "${DOCKER_HOST:-}" ] ||
        fail "DOCKER_HOST is $DOCKER_HOST, and nothing answers there" "start that engine, or unset DOCKER_HOST"
    [ "$(context)" = default ] ||
        fail "the docker context is $(context), and nothing answers there" \
            "start that engine, or run: docker context use default"
    [ "${NO_INSTALL:-}" != 1 ] ||
        fail "NO_INSTALL=1 forbids to install or start one" "start one yourself, then run the command again"
    is_debian_or_ubuntu ||
        fail "this is neither Debian nor Ubuntu" "install Docker as https://docs.docker.com/engine/install/ says"
    [ "$(id -u)" = 0 ] ||
        fail "only root can install and start one here" \
            "run as root: apt-get install docker.io, or see that you are in the group docker"
    say "no Docker engine answers"
    # shellcheck disable=SC2046  # one word for each package
    command -v dockerd >/dev/null 2>&1 || install $(engine_packages)
    answers || start
    wait_for_answer
fi
ensure_base_images
[ "${1:-}" != tests ] || ensure_registry
