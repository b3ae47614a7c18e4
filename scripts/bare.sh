#!/bin/sh
# The two commands as a stranger would run them: a bare Debian in a folder (debootstrap, minbase,
# with git, make and certificates), this checkout's last commit cloned into it, `make bench`, then
# `make test`. The last line is pytest's. Exit code 77: it cannot be done here, with the reason.
#
#   scripts/bare.sh          in a folder that is removed at the end
#   KEEP=1 scripts/bare.sh   the folder stays
#
# The bare system gets this machine's way to the network (names, certificates, pip's settings) and
# nothing else. BIND="/a /b": folders of this machine that it may read, e.g. a mirror of wheels.
# MIRROR and SUITE: where Debian comes from (default: debootstrap's), and which.
set -eu
cd "$(dirname "$0")/.."
MIRROR=${MIRROR:-} SUITE=${SUITE:-bookworm} BIND=${BIND:-}

say() { echo "npubench bare: $*"; }
skip() {
    say "skipped: $*"
    exit 77
}

if [ "${1:-}" != inside ]; then
    [ "$(uname -s)" = Linux ] || skip "needs Linux"
    [ "$(id -u)" = 0 ] || skip "needs root, for chroot and mounts"
    for tool in debootstrap chroot unshare git; do
        command -v "$tool" >/dev/null || skip "$tool is not installed"
    done
    # Mounts and processes of their own: none outlives this script.
    unshare --mount --pid --fork --kill-child true 2>/dev/null || skip "no mount namespace is given"
    root=$(mktemp -d "${TMPDIR:-/tmp}/npubench-bare.XXXXXX")
    chmod 755 "$root"
    [ -n "${KEEP:-}" ] || trap 'rm -rf "$root"' EXIT
    trap 'exit 130' INT TERM HUP
    code=0
    unshare --mount --pid --fork --kill-child sh scripts/bare.sh inside "$root" || code=$?
    [ -z "${KEEP:-}" ] || say "kept: $root"
    exit "$code"
fi

root=$2
now() { date +%s; }
begin=$(now)
if ! debootstrap --variant=minbase --include=git,make,ca-certificates "$SUITE" "$root" ${MIRROR:+"$MIRROR"} \
    >"$root.log" 2>&1; then
    tail -n 5 "$root.log"
    rm -f "$root.log"
    skip "debootstrap could not make a $SUITE${MIRROR:+ from $MIRROR}"
fi
rm -f "$root.log"
say "$SUITE, minbase: $(du -sm "$root" | cut -f 1) MB, $(($(now) - begin)) s"

mount --make-rprivate /
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
    [ ! -e "$file" ] || cp -L "$file" "$root$file"
done
for folder in $BIND; do
    mkdir -p "$root$folder"
    mount --bind "$folder" "$root$folder"
    mount -o remount,bind,ro "$root$folder"
done
git clone -q --no-hardlinks "$PWD" "$root/srv/npubench"
[ -z "$(git status --porcelain)" ] || say "what is not committed is not tried"
say "commit $(git -C "$root/srv/npubench" log -1 --format='%h %s')"

# Nothing of this shell's environment but pip's settings and a way through a proxy.
settings=$(env | grep -E '^(PIP_[A-Z_]+|https?_proxy|no_proxy)=[^ ]*$' || true)
inside() {
    # shellcheck disable=SC2086
    chroot "$@" env -i HOME=/srv LANG=C.UTF-8 $settings \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        sh -c "cd /srv/npubench && exec $command"
}

# Whoever is not root is told what root has to run.
command="make bench"
if inside --userspec=1000:1000 "$root" </dev/null >"$root/srv/told" 2>&1; then
    say "make bench without root: went through, where nothing was installed"
    exit 1
fi
if ! grep -q '  apt-get update && apt-get install -y ' "$root/srv/told"; then
    cat "$root/srv/told"
    say "make bench without root: does not say what to install"
    exit 1
fi
say "make bench without root: says what root has to run"

for command in "make bench" "make test"; do
    begin=$(now)
    code=0
    inside "$root" </dev/null >"$root/srv/said" 2>&1 || code=$?
    tail -n "${TAIL:-40}" "$root/srv/said"
    last=$(tail -n 1 "$root/srv/said")
    say "$command: exit code $code, $(wc -l <"$root/srv/said") lines, $(($(now) - begin)) s," \
        ".venv $(du -sm "$root/srv/npubench/.venv" | cut -f 1) MB"
    [ "$code" = 0 ] || break
done
left=$(git -C "$root/srv/npubench" status --porcelain)
if [ -n "$left" ]; then
    say "left behind: $left"
    code=1
fi
echo "$last"
exit "$code"
