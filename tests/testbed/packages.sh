#!/bin/sh
# Install the Debian packages one purpose needs, those that are missing, and no others.
#
# usage: packages.sh [build|test|demo|bench|kernels]...      (build, when nothing is said)
#
#   build  compile varve
#   demo   build, and make the base images for the example
#   test   demo, and the real programs the tests run against
#   bench  test, and what the measurements need
#   kernels  demo, and a machine for other kernels (tests/kernels.sh)
#
# For Debian 12 and 13 and Ubuntu 24.04. Uses sudo when not run as root.
set -eu
# shellcheck source=tests/testbed/lib.sh
. "$(dirname "$0")/lib.sh"

# A word is a package; "a|b" is the first of them that this release has; and
# "command:package" is wanted only where the command is missing, because it often comes
# from elsewhere (node, docker).
build='gcc make meson ninja-build pkgconf|pkg-config libglib2.0-dev libsqlite3-dev
    libcurl4-openssl-dev|libcurl4-gnutls-dev nettle-dev libisal-dev libdeflate-dev libzstd-dev
    libarchive-dev libjansson-dev libseccomp-dev libcap-dev libmpfr-dev libyaml-dev libpcre2-dev
    libcrypt-dev'
demo="$build mmdebstrap debian-archive-keyring ca-certificates curl git busybox-static uidmap passt"
test="$demo bats docker-registry apache2-utils openssl skopeo umoci runc tmux universal-ctags
    jq iproute2 python3 python3-jsonschema zsh fish attr libcap2-bin procps e2fsprogs xz-utils bzip2 zstd groff-base qemu-user-static binfmt-support docker:docker-cli|docker.io dockerd:docker.io
    clang-format-19 clang-tidy-19"
bench="$test debootstrap hyperfine isal libssl-dev time node:nodejs npm:npm"

kernels="$demo qemu-system-x86"

[ $# -gt 0 ] || set -- build
wanted=''
for purpose in "$@"; do
    case $purpose in
    build) wanted="$wanted $build" ;;
    demo) wanted="$wanted $demo" ;;
    test) wanted="$wanted $test" ;;
    bench) wanted="$wanted $bench" ;;
    kernels) wanted="$wanted $kernels" ;;
    *)
        sed -n '4s/^# //p' "$0" >&2
        exit 2
        ;;
    esac
done

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        command -v sudo >/dev/null 2>&1 || die "installing packages needs root: run this as root, or install sudo"
        sudo "$@"
    fi
}

installed() {
    dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

available() {
    apt-cache show --no-all-versions "$1" 2>/dev/null | grep -q '^Filename:'
}

# choose A|B|...: the one that is installed, else the first that can be, else A.
choose() {
    alternatives=$(echo "$1" | tr '|' ' ')
    for package in $alternatives; do
        ! installed "$package" || { echo "$package" && return; }
    done
    for package in $alternatives; do
        ! available "$package" || { echo "$package" && return; }
    done
    echo "${alternatives%% *}"
}

missing_of() {
    for word in "$@"; do
        case $word in
        *:*) ! command -v "${word%%:*}" >/dev/null 2>&1 || continue ;;
        esac
        package=$(choose "${word#*:}")
        installed "$package" || echo "$package"
    done | sort -u
}

command -v apt-get >/dev/null 2>&1 ||
    die "this machine has no apt-get; install by hand: $(echo "$wanted" | tr -s ' \n' ' ')"

# shellcheck disable=SC2086 # a list of words
missing=$(missing_of $wanted)
if [ -z "$missing" ]; then
    say "everything for '$*' is installed"
    exit 0
fi
# A machine that never fetched the lists knows no package: names cannot be chosen yet.
if ! available gcc; then
    say "fetching the package lists"
    as_root apt-get -q -o DPkg::Lock::Timeout=300 update >/dev/null
    # shellcheck disable=SC2086
    missing=$(missing_of $wanted)
fi
# How much of the network it will take, in apt's own words: "71.3 MB".
download() {
    # shellcheck disable=SC2086
    LC_ALL=C apt-get --assume-no --no-install-recommends install $missing 2>/dev/null |
        sed -n 's/^Need to get \([0-9.,]* [kMG]*B\).*/\1/p' || true
}
size=$(download)
# shellcheck disable=SC2086
say "installing for '$*'${size:+ ($size to download)}:" $missing
case " $missing " in
*" docker-registry "* | *" docker.io "*) say "note: Debian starts the services of docker-registry and docker.io; the tests do not need them running" ;;
esac
install() {
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
        -o Dpkg::Use-Pty=0 install -y --no-install-recommends $missing >/dev/null
}
# Old lists name packages that are gone from the mirror: fetch them anew and try once more.
install || {
    say "fetching the package lists again, then once more"
    as_root apt-get -q -o DPkg::Lock::Timeout=300 update >/dev/null
    install || die "apt-get could not install them; its message is above"
}
say "done"
