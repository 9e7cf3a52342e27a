#!/usr/bin/env bash
# Puts varve on a runner: a given program, else a release's asset, else one built from the action's own
# files, kept in the runner's tool cache. And what a build needs around it, where sudo may install that.
#
# Environment: VARVE_PROGRAM (a program, or empty), VARVE_PLATFORMS (a list), VARVE_SOURCE (these files),
# VARVE_REPOSITORY and VARVE_REF (of a release), and the runner's own.
set -euo pipefail
say() { echo "varve: $*"; }
die() { echo "::error title=varve::$*" && exit 1; }
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}
can_be_root() { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }

machine() {
    case $(uname -m) in
    x86_64) echo amd64 ;;
    aarch64) echo arm64 ;;
    *) uname -m ;;
    esac
}

# A release's program, verified: asset URL DIR
asset() {
    local name
    name=varve-linux-$(machine).tar.gz
    curl -fsSL --retry 3 -o "$2/$name" "$1/$name" 2>/dev/null &&
        curl -fsSL --retry 3 -o "$2/SHA256SUMS" "$1/SHA256SUMS" 2>/dev/null || return 1
    (cd "$2" && grep -F "  $name" SHA256SUMS | sha256sum --check --status) || die "$1/$name is not what SHA256SUMS says"
    tar -xzf "$2/$name" -C "$2" varve
}

from_release() {
    [ -n "${VARVE_REPOSITORY:-}" ] && [[ "${VARVE_REF:-}" == v* ]] || return 1
    asset "${GITHUB_SERVER_URL:-https://github.com}/$VARVE_REPOSITORY/releases/download/$VARVE_REF" "$1"
}

from_source() {
    say "building it from $VARVE_SOURCE"
    "$VARVE_SOURCE/tests/testbed/packages.sh" build &&
        make -C "$VARVE_SOURCE" BUILD="$1/build" >"$1/log" 2>&1 || { tail -n 50 "$1/log" && die "varve could not be built"; }
    mv "$1/build/varve" "$1/varve"
    rm -rf "$1/build"
}

# Files of the action that the program is made of.
source_key() {
    (cd "$VARVE_SOURCE" && find src include meson.build -type f 2>/dev/null | LC_ALL=C sort | xargs sha256sum) | sha256sum | cut -c1-16
}

install_varve() {
    local dir
    dir=${RUNNER_TOOL_CACHE:-$HOME/.cache}/varve/$(source_key)-$(machine)
    if [ ! -x "$dir/varve" ]; then
        rm -rf "$dir.new"
        mkdir -p "$dir.new"
        from_release "$dir.new" || from_source "$dir.new"
        rm -rf "$dir"
        mv "$dir.new" "$dir"
    fi
    VARVE_PROGRAM=$dir/varve
    [ -z "${GITHUB_PATH:-}" ] || echo "$dir" >>"$GITHUB_PATH"
}

# Programs that builds use: commands, then packages.
missing_packages() {
    command -v newuidmap >/dev/null || echo uidmap
    command -v pasta >/dev/null || echo passt
    case ",${VARVE_PLATFORMS//[[:space:]]/,}," in
    *,linux/*)
        for p in ${VARVE_PLATFORMS//,/ }; do
            [ "$p" = "linux/$(machine)" ] || ls /proc/sys/fs/binfmt_misc/qemu-* >/dev/null 2>&1 || { echo qemu-user-static binfmt-support && break; }
        done
        ;;
    esac
}

prepare_machine() {
    local packages lock=/proc/sys/kernel/apparmor_restrict_unprivileged_userns
    packages=$(missing_packages | tr '\n' ' ')
    if [ -n "${packages// /}" ] && can_be_root && command -v apt-get >/dev/null; then
        say "installing $packages"
        # shellcheck disable=SC2086 # a list of words
        as_root apt-get -qq install -y --no-install-recommends $packages >/dev/null 2>&1 ||
            { as_root apt-get -qq update >/dev/null && as_root apt-get -qq install -y --no-install-recommends $packages >/dev/null; } ||
            echo "::warning title=varve::$packages could not be installed"
    fi
    # Ubuntu keeps namespaces from users; a runner is a machine for one job.
    if [ "$(id -u)" != 0 ] && [ "$(cat $lock 2>/dev/null || echo 0)" = 1 ] && can_be_root; then
        as_root sysctl -qw kernel.apparmor_restrict_unprivileged_userns=0
    fi
}

echo "::group::Install varve"
if [ -n "${VARVE_PROGRAM:-}" ]; then
    VARVE_PROGRAM=$(command -v "$VARVE_PROGRAM") || die "the input varve names no program"
else
    install_varve
fi
prepare_machine
"$VARVE_PROGRAM" version
[ -z "${GITHUB_OUTPUT:-}" ] || echo "varve=$VARVE_PROGRAM" >>"$GITHUB_OUTPUT"
echo "::endgroup::"
