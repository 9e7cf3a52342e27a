#!/bin/sh
# A base image with Node.js 20 and npm, made from Debian 13 packages: it stands in
# for node:20-alpine where no image registry can be reached.
#
# usage: node-base.sh [OUTDIR]
#
# Writes OUTDIR/node-base.tar and OUTDIR/node-base-oci (an OCI layout, tag "20").
# OUTDIR defaults to the test bed's cache. About a minute the first time, then at once;
# runs as root, or as a user who has subordinate ids (uidmap). Use it as:
#
#     varve build --build-context node:20-alpine=oci-layout://OUTDIR/node-base-oci .
set -eu
# shellcheck source=tests/testbed/lib.sh
. "$(dirname "$0")/lib.sh"

out=${1:-$testbed_cache}
suite=trixie
packages=nodejs,npm,ca-certificates,tini
recipe=$(cat "$0" "$(dirname "$0")/lib.sh" | sha256sum | cut -c1-16)
cached=$testbed_cache/node-base-$recipe

# The same packages give the same bytes: no logs, caches, host names or documentation.
# Device files are left out, so that an ordinary user can unpack the layer. The user
# "node" has the id it has in the image this one stands in for.
# shellcheck disable=SC2016 # $1 is for the hook's own shell: it is the root directory
bootstrap() {
    mmdebstrap --quiet --mode=auto --variant=minbase --format=tar \
        --include="$packages" --skip=output/dev \
        --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/info/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/lintian/*' \
        --customize-hook='rm -rf "$1"/etc/resolv.conf "$1"/etc/hostname "$1"/var/log/*.log "$1"/var/log/apt "$1"/var/cache/debconf/*-old "$1"/var/cache/ldconfig/aux-cache "$1"/var/lib/dpkg/*-old "$1"/root/.npm' \
        --customize-hook='rm -rf "$1"/usr/share/doc/* "$1"/usr/share/man/* "$1"/usr/share/info/* "$1"/usr/share/locale/*' \
        --customize-hook='chroot "$1" useradd --create-home --uid 1000 --shell /bin/bash node' \
        "$suite" "$1"
}

# add_dev TAR: an empty /dev, which mmdebstrap left out together with its device files.
add_dev() {
    tar -tf "$1" ./dev >/dev/null 2>&1 && return 0
    dev_tmp=$(mktemp -d)
    mkdir "$dev_tmp/dev"
    tar --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=755 \
        -C "$dev_tmp" -rf "$1" ./dev
    rm -r "$dev_tmp"
}

# node_version TAR: the upstream version of its nodejs package, "20.19.2".
node_version() {
    tar -xOf "$1" ./var/lib/dpkg/status |
        sed -n '/^Package: nodejs$/,/^$/s/^Version: \([0-9.]*\).*/\1/p'
}

lock_bases
if [ ! -e "$cached/node-base-oci/index.json" ]; then
    need mmdebstrap demo
    say "making the base from Debian $suite packages ($packages); this takes about a minute"
    mkdir -p "$cached"
    # mmdebstrap may run as another user inside: its output goes through a pipe.
    bootstrap - >"$cached/node-base.tar.tmp" || die "mmdebstrap failed; nothing was written"
    add_dev "$cached/node-base.tar.tmp"
    mv "$cached/node-base.tar.tmp" "$cached/node-base.tar"
    version=$(node_version "$cached/node-base.tar")
    [ -n "$version" ] || die "the new base has no nodejs package"
    oci_from_tar "$cached/node-base.tar" "$cached/node-base-oci" 20 \
        '["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","NODE_VERSION='"$version"'"]' \
        '["node"]'
fi

mkdir -p "$out"
place "$cached/node-base.tar" "$out/node-base.tar"
place "$cached/node-base-oci" "$out/node-base-oci"
say "ready: $out/node-base-oci ($(du -sh "$out/node-base-oci" | cut -f1) compressed)"
