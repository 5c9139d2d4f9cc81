#!/bin/sh
# Makes what is missing, once, and asks nothing. The Makefile calls it:
#   ./setup.sh venv       a virtual environment in .venv, with exactly what constraints.txt lists
#   ./setup.sh rabbitmq   RabbitMQ, through apt-get, unless $AMQP_URL names a broker
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-python3}

fail() {
    echo "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# apt_install PACKAGE MESSAGE: install it, or fail with the message where that would need a password or another system.
#
# A package with a service starts it at once. SYSTEMD_OFFLINE makes systemctl ignore the request, RUNLEVEL=1 makes
# sysvinit's invoke-rc.d do so. Unlike a policy-rc.d file, neither outlives this script when it is killed.
apt_install() {
    { command -v apt-get && as_root true; } >/dev/null 2>&1 || fail "$2"
    echo "Installing $1 with apt-get ..."
    # The lists may be new enough when they cannot be brought up to date, so only the installation's status counts.
    log=$({ apt_get update; apt_get install --no-install-recommends "$1"; } 2>&1) || fail "$log
$2"
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive SYSTEMD_OFFLINE=1 RUNLEVEL=1 PATH="$PATH:/usr/sbin:/sbin" \
        apt-get -q -y -o DPkg::Lock::Timeout=300 "$@"
}

venv() {
    # The stamp is written last. It holds what .venv was made from, and where: a moved .venv has wrong paths in its scripts.
    stamp=$(pwd; cat constraints.txt)
    # One at a time (there is no flock on macOS: there, nothing stops two).
    if command -v flock >/dev/null; then
        exec 9<constraints.txt
        flock 9
    fi
    if [ "$stamp" = "$(cat .venv/stamp 2>/dev/null)" ] && .venv/bin/python -c 'import pip' 2>/dev/null; then
        return
    fi

    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "Python 3.11 or newer is needed, and $python is not. To name another: make PYTHON=python3.12 ..."
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then # Debian has it in a package of its own
        package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        apt_install "$package" "$python cannot make a virtual environment: install $package (apt-get install $package)."
    fi
    echo "Setting up .venv ..."
    "$python" -m venv --clear .venv
    # constraints.txt is the whole closure, so there is nothing to resolve; `pip check` says if it was not.
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement constraints.txt
    broken=$(.venv/bin/python -m pip check) || fail "$broken"
    echo "$stamp" >.venv/stamp
}

rabbitmq() {
    if [ -n "${AMQP_URL:-}" ] || [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || command -v rabbitmq-server >/dev/null; then
        return
    fi
    command -v epmd >/dev/null || new_epmd=yes
    apt_install rabbitmq-server "RabbitMQ is not installed, and apt-get cannot install it here. Install it yourself
(Debian, Ubuntu: apt-get install rabbitmq-server; macOS: brew install rabbitmq), or set AMQP_URL to a broker's URL."
    # The harness runs private brokers: nothing should start at the next boot either.
    as_root env PATH="$PATH:/usr/sbin:/sbin" update-rc.d rabbitmq-server disable
    if [ -n "${new_epmd:-}" ] && command -v systemctl >/dev/null; then
        as_root systemctl --quiet disable epmd.service epmd.socket
    fi
}

case "${1:-}" in
venv | rabbitmq) "$1" ;;
*) fail "usage: $0 venv | rabbitmq" ;;
esac
