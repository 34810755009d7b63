#!/bin/sh
# What the tests need beside Python: Chromium (whole and headless), Firefox, WebKit and a screen
# for it, Node and its `ws` client, PostgreSQL, Redis, nginx, Caddy, and uWSGI, which is compiled
# (half a minute).
# Through apt where that is allowed; otherwise it says exactly what is missing.
set -eu
venv=$1

missing=""
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
command -v chromium-headless-shell >/dev/null 2>&1 || missing="$missing chromium-headless-shell"
command -v firefox-esr >/dev/null 2>&1 || missing="$missing firefox-esr"
command -v WebKitWebDriver >/dev/null 2>&1 || missing="$missing webkit2gtk-driver"
command -v Xvfb >/dev/null 2>&1 || missing="$missing xvfb"
command -v node >/dev/null 2>&1 || missing="$missing nodejs"
command -v npm >/dev/null 2>&1 || missing="$missing npm"
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing="$missing postgresql"
command -v redis-server >/dev/null 2>&1 || missing="$missing redis-server"
[ -x /usr/sbin/nginx ] || command -v nginx >/dev/null 2>&1 || missing="$missing nginx"
command -v caddy >/dev/null 2>&1 || missing="$missing caddy"
command -v gcc >/dev/null 2>&1 || missing="$missing gcc libc6-dev"
headers=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
[ -f "$headers/Python.h" ] || missing="$missing python3-dev"

if [ -n "$missing" ]; then
    as_root=""
    [ "$(id -u)" = 0 ] || as_root="sudo -n"
    echo "csapp set-up: installing$missing"
    # shellcheck disable=SC2086  # a list of packages
    if ! { $as_root apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing; } >/dev/null; then
        echo "csapp set-up: missing; run as root: apt-get install$missing" >&2
        exit 1
    fi
fi

npm install --silent --no-audit --no-fund --no-save --prefix "$venv/node" ws@8.23.0 >/dev/null
"$venv/bin/python" -m pip install -q uwsgi==2.0.31
