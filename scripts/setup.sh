#!/bin/sh
# Set up this checkout: the system's tools, then .venv with pinned Python packages.
#
#   scripts/setup.sh bench   what `npubench bench` needs
#   scripts/setup.sh all     that, and TensorFlow, the test tools and the checks
#
# Costs nothing when it is done already. A set-up that was interrupted is begun anew. What apt-get
# and pip say goes to .cache/setup.log; a line now and then says how far they are.
set -eu
unset PYTHONPATH PYTHONHOME
cd "$(dirname "$0")/.."

PACKAGES="python3-venv gcc libc6-dev gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
# For the tests of RISC-V boards, and of uploads by XMODEM. Not everybody's distribution has them:
# without them those tests are skipped and say so.
TEST_PACKAGES="gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf lrzsz"
VENV=.venv
RUNNING=$VENV/.setup-running
ASKED=$VENV/.setup-test-packages
LOG=.cache/setup.log
TICK_S=20

say() { echo "npubench setup: $*" >&2; }
fail() {
    say "$*"
    exit 3
}

case "${1:-}" in
bench) lock=requirements.lock space="about 0.5 GB" ;;
all) lock=requirements-dev.lock space="about 2.8 GB" ;;
*)
    echo "usage: scripts/setup.sh bench|all" >&2
    exit 2
    ;;
esac

# Runs the rest of the words with their output in the log. $1: a function that says how far it is.
# No trap: a child that inherits one may miss the signal that ends it.
logged() {
    progress=$1
    shift
    : >"$LOG"
    (while sleep "$TICK_S" </dev/null >/dev/null 2>&1 && kill -0 $$; do $progress; done) &
    ticker=$!
    status=0
    "$@" </dev/null >>"$LOG" 2>&1 || status=$?
    kill "$ticker" 2>/dev/null || true
    wait "$ticker" 2>/dev/null || true
    return "$status"
}

# The end of the log, for who has to find out what went wrong.
tell_log() {
    tail -n 15 "$LOG" >&2 || true
    say "the whole of it: $LOG"
}

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
    echo '#include <string.h>' | "$@" -E -x c - >/dev/null 2>&1
}

# As missing_packages, of what only tests need.
missing_test_packages() {
    [ "$lock" = requirements-dev.lock ] || return 0
    command -v riscv64-unknown-elf-gcc >/dev/null || echo gcc-riscv64-unknown-elf
    has_header riscv64-unknown-elf-gcc -specs=picolibc.specs || echo picolibc-riscv64-unknown-elf
    command -v rx >/dev/null || echo lrzsz
}

as_root=
# Whether packages can be installed here, without a question that nobody sees.
find_root() {
    command -v apt-get >/dev/null || return 1
    [ "$(id -u)" != 0 ] || return 0
    command -v sudo >/dev/null || return 1
    as_root="sudo"
    [ -t 0 ] || as_root="sudo -n"
    [ -t 0 ] || sudo -n true 2>/dev/null
}

apt_command() { echo "apt-get update && apt-get install -y --no-install-recommends $*"; }

apt_far() { say "  still at it: $(tail -n 1 "$LOG" | cut -c 1-90)"; }

apt() {
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@"
}

# Megabytes that apt-get would fetch.
apt_size() {
    bytes=0
    apt install -qq --print-uris --no-install-recommends "$@" 2>/dev/null </dev/null |
        while read -r _ _ size _; do
            bytes=$((bytes + size)) 2>/dev/null || continue
            echo $((bytes / 1000000))
        done | tail -n 1
}

updated=
apt_install() {
    mkdir -p .cache
    if [ -z "$updated" ]; then
        # A broken third-party source must not stop the rest.
        logged apt_far apt update || say "apt-get update reported a problem, going on"
        updated=yes
    fi
    size=$(apt_size "$@") || size=
    say "installing Debian packages${size:+, $size MB to fetch}: $*"
    logged apt_far apt install -y --no-install-recommends "$@"
}

install_packages() {
    if ! command -v apt-get >/dev/null; then
        say "this system has no apt-get. Install, by its own means, what is missing ($*):"
        say "  Python 3.11, 3.12 or 3.13 with venv; gcc with the C library's headers;"
        say "  arm-none-eabi-gcc with newlib (Arm GNU Toolchain); qemu-system-arm (QEMU 7.2 or newer)."
        fail "Then run the same command again."
    fi
    if ! find_root; then
        say "Debian packages are missing, and installing them needs root. As root, run:"
        say "  $(apt_command "$@")"
        say "Then run the same command again. What follows needs no root: a .venv in this folder"
        fail "with pinned Python packages ($space)."
    fi
    # shellcheck disable=SC2086
    apt_install $PACKAGES || {
        tell_log
        fail "apt-get could not install: $PACKAGES"
    }
}

install_test_packages() {
    # shellcheck disable=SC2086
    if ! find_root || ! apt_install $TEST_PACKAGES; then
        say "not installed: $*. The tests that need them are skipped, and say so."
        if command -v apt-get >/dev/null; then say "  To have them, as root: $(apt_command "$@")"; fi
    fi
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

tests_asked() { [ "$lock" != requirements-dev.lock ] || [ -e "$ASKED" ]; }

missing=$(missing_packages quick)
if [ -z "$missing" ] && up_to_date && tests_asked; then exit 0; fi

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
if ! tests_asked; then
    missing=$(missing_test_packages)
    # shellcheck disable=SC2086
    [ -z "$missing" ] || install_test_packages $missing
fi
if up_to_date; then
    if [ "$lock" = requirements-dev.lock ]; then : >"$ASKED"; fi
    exit 0
fi

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

packages=$(grep -c == "$lock") || packages=?
pip_far() {
    if grep -q '^Installing collected' "$LOG"; then
        say "  all fetched, unpacking"
    else
        say "  $(grep -c '^Collecting' "$LOG") of at most $packages packages fetched"
    fi
}
# Exactly the lock: nothing is resolved, nothing is added.
pip() {
    "$VENV/bin/python" -m pip --disable-pip-version-check --no-input "$@"
}
mkdir -p .cache
say "installing Python packages from $lock into $VENV ($space on disk; some minutes, once)"
logged pip_far pip install --progress-bar off --no-compile --no-deps --requirement "$lock" || {
    tell_log
    fail "the Python packages could not be installed (see above). Check the network and run the same command again."
}
logged pip_far pip install --progress-bar off --no-compile --no-deps --no-build-isolation --editable . || {
    tell_log
    fail "npubench itself could not be installed into $VENV (see above)."
}

stamp_text "$lock" >"$VENV/.setup-$lock"
if [ "$lock" = requirements-dev.lock ]; then : >"$ASKED"; fi
rm -f "$RUNNING"
say "ready: $VENV/bin/npubench"
