#!/bin/sh
# Makes the virtual environment in $1 with the newest Python >= 3.11 at hand.
# Debian keeps ensurepip in a package of its own: installed where that is allowed.
set -eu
venv=$1

fail() {
    echo "csapp set-up: $1" >&2
    exit 1
}

find_python() {
    for candidate in python3.14 python3.13 python3.12 python3.11 python3; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

python=$(find_python)
[ -n "$python" ] || fail "Python 3.11 or newer is needed; on Debian: apt-get install python3 python3-venv"

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    package="python$version-venv"
    as_root=""
    [ "$(id -u)" = 0 ] || as_root="sudo -n"
    echo "csapp set-up: installing $package"
    if ! { $as_root apt-get update -qq && $as_root apt-get install -y -qq "$package"; } >/dev/null; then
        fail "the venv module is missing; run as root: apt-get install $package"
    fi
fi

rm -rf "$venv"
"$python" -m venv "$venv"
