#!/bin/sh
# A tiny base image from Debian's busybox-static.
#
# usage: busybox-base.sh [OUTDIR [ARCH]]
#
# Writes OUTDIR/busybox.tar and OUTDIR/busybox-oci (an OCI layout, tag "latest").
# OUTDIR defaults to the test bed's cache. Takes about a second. With ARCH (Debian's
# name of an architecture: arm64) the program is fetched for that one, and the names
# are busybox-ARCH.tar and busybox-ARCH-oci.
set -eu
# shellcheck source=tests/testbed/lib.sh
. "$(dirname "$0")/lib.sh"

out=${1:-$testbed_cache}
arch=${2:-}
name=busybox${arch:+-$arch}
need busybox demo
busybox=$(command -v busybox)
list=$busybox

# Fetched with package lists of its own: this machine's stay as they are.
fetch_busybox() {
    fetched=$testbed_cache/fetched-busybox-$arch
    [ ! -x "$fetched" ] || return 0
    mkdir -p "$testbed_cache"
    apt_dir=$(mktemp -d)
    mkdir -p "$apt_dir/lists/partial" "$apt_dir/cache"
    cat >"$apt_dir/conf" <<EOF
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Sandbox::User "root";
Dir::State::lists "$apt_dir/lists";
Dir::Cache "$apt_dir/cache";
Dir::State::status "/dev/null";
EOF
    (cd "$apt_dir" && APT_CONFIG=$apt_dir/conf apt-get -qq update && APT_CONFIG=$apt_dir/conf apt-get -qq download busybox-static &&
        dpkg-deb -x ./*.deb root) >/dev/null || die "busybox-static for $arch could not be fetched"
    for found in "$apt_dir/root/bin/busybox" "$apt_dir/root/usr/bin/busybox"; do
        [ ! -f "$found" ] || mv "$found" "$fetched"
    done
    rm -rf "$apt_dir"
}
if [ -n "$arch" ]; then
    fetch_busybox
    busybox=$fetched
fi
file_id=$(cat "$busybox" "$0" "$(dirname "$0")/lib.sh" | sha256sum | cut -c1-16)
cached=$testbed_cache/$name-$file_id

make_rootfs() {
    mkdir -p "$1/bin" "$1/dev" "$1/etc" "$1/home" "$1/proc" "$1/root" "$1/sys" \
        "$1/tmp" "$1/usr" "$1/var/tmp"
    chmod 755 "$1" "$1"/*
    chmod 700 "$1/root"
    chmod 1777 "$1/tmp" "$1/var/tmp"
    cp "$busybox" "$1/bin/busybox"
    chmod 755 "$1/bin/busybox"
    "$list" --list | grep -vx busybox | while read -r applet; do
        ln -s busybox "$1/bin/$applet"
    done
    # Scripts start with "#!/usr/bin/env" and expect the usual places.
    ln -s ../bin "$1/usr/bin"
    ln -s ../bin "$1/usr/sbin"
    ln -s bin "$1/sbin"
    cat >"$1/etc/passwd" <<EOF
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
app:x:1000:1000:app:/home:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
EOF
    cat >"$1/etc/group" <<EOF
root:x:0:
daemon:x:1:
tty:x:5:
www-data:x:33:
users:x:100:app
app:x:1000:
nogroup:x:65534:
EOF
    chmod 644 "$1/etc/passwd" "$1/etc/group"
}

lock_bases
if [ ! -e "$cached/$name-oci/index.json" ]; then
    say "making the base from $busybox"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    mkdir -p "$work/rootfs" "$cached"
    make_rootfs "$work/rootfs"
    tar --sort=name --format=posix --pax-option=delete=atime,delete=ctime \
        --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
        -C "$work/rootfs" -cf "$work/busybox.tar" .
    mv "$work/busybox.tar" "$cached/$name.tar"
    oci_from_tar "$cached/$name.tar" "$cached/$name-oci" latest \
        '["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]' '["sh"]' "$arch"
fi

mkdir -p "$out"
place "$cached/$name.tar" "$out/$name.tar"
place "$cached/$name-oci" "$out/$name-oci"
say "ready: $out/$name-oci"
