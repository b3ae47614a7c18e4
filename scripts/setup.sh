#!/bin/sh
# Set up this checkout: the system's tools, then .venv with pinned Python packages.
#
#   scripts/setup.sh bench   what `npubench bench` needs
#   scripts/setup.sh all     that, and TensorFlow, the test tools and the checks
#
# Costs nothing when it is done already. A set-up that was interrupted is begun anew.
set -eu
unset PYTHONPATH PYTHONHOME
cd "$(dirname "$0")/.."

PACKAGES="python3-venv gcc libc6-dev gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
VENV=.venv
RUNNING=$VENV/.setup-running

say() { echo "npubench setup: $*" >&2; }
fail() {
    say "$*"
    exit 3
}

case "${1:-}" in
bench) lock=requirements.lock ;;
all) lock=requirements-dev.lock ;;
*)
    echo "usage: scripts/setup.sh bench|all" >&2
    exit 2
    ;;
esac

# A name on PATH may be a shim without the Python behind it, and Debian's Python comes without
# ensurepip: so each candidate is run.
find_python() {
    for name in python3.13 python3.12 python3.11 python3; do
        if path=$(command -v "$name") && "$path" - 2>/dev/null <<'PY'; then
import ctypes, ensurepip, ssl, sys, venv, zlib
sys.exit(0 if (3, 11) <= sys.version_info[:2] < (3, 14) else 1)
PY
            echo "$path"
            return
        fi
    done
}

# Prints what is missing, as Debian names it. $1: "quick" only looks for the programs.
missing_packages() {
    command -v gcc >/dev/null || echo gcc
    command -v arm-none-eabi-gcc >/dev/null || echo gcc-arm-none-eabi
    command -v qemu-system-arm >/dev/null || echo qemu-system-arm
    if [ "$1" = quick ]; then return; fi
    [ -n "$(find_python)" ] || echo python3-venv
    has_header gcc || echo libc6-dev
    has_header arm-none-eabi-gcc || echo libnewlib-arm-none-eabi
}

has_header() {
    echo '#include <string.h>' | "$1" -E -x c - >/dev/null 2>&1
}

install_packages() {
    if ! command -v apt-get >/dev/null; then
        say "this system has no apt-get. Install, by its own means, what is missing ($*):"
        say "  Python 3.11, 3.12 or 3.13 with venv; gcc with the C library's headers;"
        say "  arm-none-eabi-gcc with newlib (Arm GNU Toolchain); qemu-system-arm (QEMU 7.2 or newer)."
        fail "Then run the same command again."
    fi
    as_root=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || fail "needs root for: apt-get install $PACKAGES"
        as_root="sudo"
        [ -t 0 ] || as_root="sudo -n"
    fi
    say "installing Debian packages (missing: $*)"
    options="-q -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3"
    # A broken third-party source must not stop the rest.
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get $options update >&2 ||
        say "apt-get update reported a problem, going on"
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get $options install -y --no-install-recommends \
        $PACKAGES >&2 </dev/null || fail "apt-get could not install: $PACKAGES"
}

# What the environment was made from, $1 being the lock; equal text means: nothing to do.
stamp_text() {
    pwd -P
    cat pyproject.toml "$1" scripts/setup.sh
}

up_to_date() {
    [ ! -e "$RUNNING" ] && "$VENV/bin/python" -c "" 2>/dev/null && [ -x "$VENV/bin/npubench" ] ||
        return 1
    # The full set-up holds all that the bench needs.
    for made in "$lock" requirements-dev.lock; do
        if stamp_text "$made" | cmp -s - "$VENV/.setup-$made"; then return 0; fi
    done
    return 1
}

missing=$(missing_packages quick)
if [ -z "$missing" ] && up_to_date; then exit 0; fi

missing=$(missing_packages full)
if [ -n "$missing" ]; then
    # shellcheck disable=SC2086
    install_packages $missing
    missing=$(missing_packages full)
fi
if [ -z "$(find_python)" ]; then
    fail "no Python 3.11, 3.12 or 3.13 with venv was found (tried python3.13, python3.12, python3.11, python3). Install one, e.g. from your distribution or python.org."
fi
# shellcheck disable=SC2086
[ -z "$missing" ] || fail "still missing after the installation:" $missing
if up_to_date; then exit 0; fi

python=$(find_python)
usable() {
    [ ! -e "$RUNNING" ] && "$VENV/bin/python" -m pip --version >/dev/null 2>&1 &&
        "$VENV/bin/python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' &&
        { [ ! -e "$VENV/.setup-folder" ] || [ "$(cat "$VENV/.setup-folder")" = "$(pwd -P)" ]; }
}
if ! usable; then
    say "making $VENV with $("$python" --version) ($python)"
    # The marker goes in first and out last: a half-made .venv is never used.
    mkdir -p "$VENV"
    : >"$RUNNING"
    find "$VENV" -mindepth 1 -maxdepth 1 ! -name .setup-running -exec rm -rf {} +
    "$python" -m venv "$VENV" || fail "$python could not make $VENV"
    pwd -P >"$VENV/.setup-folder"
fi
: >"$RUNNING"
rm -f "$VENV"/.setup-requirements*.lock

say "installing Python packages from $lock (a minute or two, once)"
# Exactly the lock: nothing is resolved, nothing is added.
pip() {
    "$VENV/bin/python" -m pip --disable-pip-version-check --no-input "$@" </dev/null >&2
}
pip install --quiet --no-compile --no-deps --requirement "$lock" ||
    fail "the Python packages could not be installed (see above). Check the network and run the same command again."
pip install --quiet --no-compile --no-deps --no-build-isolation --editable . ||
    fail "npubench itself could not be installed into $VENV (see above)."

stamp_text "$lock" >"$VENV/.setup-$lock"
rm -f "$RUNNING"
say "ready: $VENV/bin/npubench"
