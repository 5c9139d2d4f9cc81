#!/bin/sh
# Makes what is missing, once, and asks nothing. The Makefile calls it:
#   ./setup.sh            .venv: a virtual environment with exactly what constraints.txt lists
#   ./setup.sh rabbitmq   that, and RabbitMQ unless $AMQP_URL names a broker
#   ./setup.sh pictures   .venv with what constraints-pictures.txt lists as well
# What the system lacks comes through apt-get, as root or by a sudo that needs no password.
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-python3}

main() {
    # One at a time. (macOS has no flock: there, nothing stops two.)
    if command -v flock >/dev/null; then
        exec 9<constraints.txt
        flock 9
    fi
    # The stamp is what .venv was made from, and where: a moved .venv has wrong paths in its scripts.
    stamp=$(pwd && cat constraints.txt)
    packages=$(missing_packages "$@")
    if [ -n "$packages" ]; then apt_install; fi
    has_venv || make_venv
    if [ "${1:-}" = pictures ]; then
        has_pictures || install --requirement constraints.txt --requirement constraints-pictures.txt
    fi
}

missing_packages() {
    if ! has_venv; then
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
            fail "Python 3.11 or newer is needed, and $python is not. To name another: make PYTHON=python3.12 ..."
        # Debian keeps ensurepip, without which a virtual environment has no pip, in a package of its own.
        "$python" -c 'import ensurepip' 2>/dev/null ||
            "$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'
    fi
    if [ "${1:-}" = rabbitmq ]; then has_rabbitmq || echo rabbitmq-server; fi
}

has_venv() {
    [ "$stamp" = "$(cat .venv/stamp 2>/dev/null)" ] && .venv/bin/python -c 'import pip' 2>/dev/null
}

has_rabbitmq() {
    [ -n "${AMQP_URL:-}" ] || [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || command -v rabbitmq-server >/dev/null
}

make_venv() {
    # venv --clear would empty what it leads to, which may be somebody else's
    [ ! -L .venv ] || fail ".venv is a symbolic link: remove it, so that one can be made here"
    echo "Setting up .venv ..."
    "$python" -m venv --clear .venv
    # constraints.txt is the whole closure, so there is nothing to resolve; `pip check` says if it was not.
    install --requirement constraints.txt
    echo "$stamp" >.venv/stamp # last: without it, .venv is made again
}

install() {
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile "$@"
    # pip would do this on one core; what cannot be compiled is for whoever imports it, as with pip
    .venv/bin/python -m compileall -qq -j 0 "$PWD/.venv/lib" || true
    broken=$(.venv/bin/python -m pip check) || fail "$broken"
}

has_pictures() {
    .venv/bin/python -c 'import matplotlib' 2>/dev/null
}

apt_install() {
    packages=$(echo $packages) # on one line
    advice="Missing, and cannot be installed from here: $packages
On Debian or Ubuntu: apt-get install $packages"
    case $packages in
    *rabbitmq-server*) advice="Missing, and cannot be installed from here: $packages
With Docker: docker compose up --detach --wait; export AMQP_URL=amqp://guest:guest@localhost:5672/%2F
Or set AMQP_URL to the URL of a broker elsewhere.
On Debian or Ubuntu: apt-get install $packages
On macOS: brew install rabbitmq" ;;
    esac
    { command -v apt-get && as_root true; } >/dev/null 2>&1 || fail "$advice"
    had_epmd=$(command -v epmd || true)
    echo "Installing $packages with apt-get ..."
    # Lists that cannot be brought up to date may still be new enough.
    log=$(exec 2>&1; forbid_services; apt_get update || true; apt_get install --no-install-recommends $packages) ||
        fail "$log
$advice"

    # Nor should a service start at the next boot: what this project needs are private brokers.
    case $packages in
    *rabbitmq-server*)
        as_root update-rc.d rabbitmq-server disable 2>/dev/null
        if [ -z "$had_epmd" ] && command -v systemctl >/dev/null; then
            as_root systemctl --quiet disable epmd.service epmd.socket
        fi
        ;;
    esac
}

# A Debian package starts the service it brings. systemctl ignores that while SYSTEMD_OFFLINE is set (see apt_get); another
# init asks policy-rc.d, so there has to be one until this (sub)shell ends. A policy that is there already stays.
forbid_services() {
    policy=/usr/sbin/policy-rc.d
    if [ -d /run/systemd/system ] || [ -e $policy ]; then return; fi
    trap 'as_root rm -f $policy' EXIT
    trap 'exit 1' HUP INT PIPE TERM
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
    as_root chmod +x $policy
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive SYSTEMD_OFFLINE=1 apt-get -q -y -o DPkg::Lock::Timeout=300 "$@"
}

as_root() {
    set -- env PATH="$PATH:/usr/sbin:/sbin" "$@" # which `su` may leave out, and dpkg needs
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

fail() {
    echo "$*" >&2
    exit 1
}

main "$@"
