#!/bin/bash
# Boots Debian's kernels in QEMU and runs there what depends on the kernel: the unit tests of sandboxes, snapshots and the
# store, a build as root and as an ordinary user, and the ways out of the sandbox (tests/cli/escape.bats) as both. TAP. Needs root,
# mmdebstrap and qemu-system-x86; a kernel takes many minutes without KVM, so this is no part of `make test` but of
# `tests/run.sh BUILD_DIR kernels`.
#
# usage: kernels.sh BUILD_DIR [RELEASE...]      (bookworm: Linux 6.1, trixie: 6.12)
set -u
build=$(realpath "$1")
shift
releases=("$@")
[ ${#releases[@]} -gt 0 ] || releases=(bookworm trixie)
skip() { echo "1..0 # skip $*"; exit 0; }
[ "$(uname -m)" = x86_64 ] || skip "only for x86_64"
[ "$(id -u)" = 0 ] || skip "needs root"
for tool in mmdebstrap qemu-system-x86_64 mke2fs; do command -v "$tool" >/dev/null || skip "needs $tool"; done
work=$(mktemp -d /var/tmp/kernels-XXXXXX)
trap 'rm -rf "$work"' EXIT

# What the machine does after it started, instead of an init.
write_script() {
    cat >"$work/root/test.sh" <<'END'
#!/bin/bash
export HOME=/root PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TMPDIR=/var/tmp G_TEST_SRCDIR=/t
# The initial RAM disk may have mounted some of these.
over() { mountpoint -q "$2" || mount -t "$1" "$1" "$2"; }
over proc /proc; over sysfs /sys; over tmpfs /run; over cgroup2 /sys/fs/cgroup
mkdir -p /dev/pts /dev/shm; over devpts /dev/pts
busybox ip link set lo up
check() { # NAME COMMAND...
    local name=$1 code
    shift
    "$@" >/tmp/log 2>&1
    code=$?
    if [ $code = 0 ]; then echo "@ok - $name"; else echo "@not ok - $name (code $code)"; tail -25 /tmp/log | sed 's/^/@# /'; fi
}
# What they say of speed says nothing of an emulated processor.
for t in /t/test-*; do check "$(uname -r) ${t#/t/test-}" "$t" -s /sandbox/speed -s /step/speed; done
useradd -m tester
echo tester:100000:65536 | tee /etc/subuid >/etc/subgid
build='cd /t && varve build -t t . && varve run t cat /dir/new | grep -qx 3 && varve fsck'
check "$(uname -r) build" bash -c "$build"
check "$(uname -r) build, ordinary user" su tester -c "export VARVE_ROOT=/home/tester/store; $build"
# Version 2 alone, with its controllers: root's limits, a user's in a subtree of its own, and what they count without any.
echo "+cpu +memory +pids" >/sys/fs/cgroup/cgroup.subtree_control
shown='>raw.$$ 2>&1; r=$?; tail -3 raw.$$; cat /proc/self/cgroup; find /sys/fs/cgroup -name "varve-*"; [ $r = 0 ]'
limited="cd /t; varve build --no-cache -m 64m --cpus 1 --progress=rawjson . $shown && grep -q memoryPeak raw.\$\$ && ! find /sys/fs/cgroup -name 'varve-*' | grep ."
counted="cd /t; varve build --no-cache --progress=rawjson . $shown && grep -q cpuSeconds raw.\$\$ && ! find /sys/fs/cgroup -name 'varve-*' | grep ."
chmod 1777 /t
check "$(uname -r) limits of steps" bash -c "$limited"
check "$(uname -r) peak of memory without limits" bash -c 'cd /t && varve build --no-cache --progress=rawjson . 2>&1 | grep -q memoryPeak'
mkdir -p /sys/fs/cgroup/tester/shell && chown -R tester /sys/fs/cgroup/tester
as_tester() { (echo $BASHPID >/sys/fs/cgroup/tester/shell/cgroup.procs && exec su tester -c "export VARVE_ROOT=/home/tester/store; $1"); }
check "$(uname -r) limits of steps, ordinary user" as_tester "$limited"
check "$(uname -r) usage of steps, ordinary user" as_tester "$counted"
# The ways out of the sandbox. A network is there to look at, without anybody at its end.
busybox modprobe tun && chmod 666 /dev/net/tun
busybox modprobe dummy numdummies=1
busybox ip link set dummy0 up && busybox ip addr add 192.0.2.1/24 dev dummy0 && busybox ip route add default via 192.0.2.2
escape='cd /t && VARVE=/t/varve VARVE_TESTBED=$HOME/bases bats --tap /t/tests/cli/escape.bats'
report() { # WHO: the lines of a bats run, in this machine's count
    sed -n "s/^\\(ok\\|not ok\\) [0-9]* /@\\1 - $(uname -r) escape, $1: /p; s/^#/@#/p" /tmp/log
    tail -1 /tmp/log | grep -q . || echo "@not ok - $(uname -r) escape, $1: nothing ran"
}
bash -c "$escape" >/tmp/log 2>&1
report root
su tester -c "$escape" >/tmp/log 2>&1
report "ordinary user"
echo @end
sync
echo o >/proc/sysrq-trigger
sleep 60
END
    chmod +x "$work/root/test.sh"
}

# Programs and libraries are this machine's release; only the kernel is another's.
make_root() {
    local libraries own
    libraries=$(ldd "$build/varve" "$build"/tests/test-{exec,snapshot,store}* 2>/dev/null | awk '/=> \// {print $3}' | sort -u |
        xargs -n1 realpath | xargs dpkg -S 2>/dev/null | cut -d: -f1 | sort -u | paste -sd,)
    own=$(. /etc/os-release && echo "$VERSION_CODENAME")
    mmdebstrap --quiet --variant=minbase --include="busybox-static,kmod,uidmap,passt,bats,procps,bsdutils,python3,libarchive13,gcc,libc6-dev,$libraries" "$own" "$work/root" >"$work/log" 2>&1 ||
        return 1
    mkdir -p "$work/root/usr/lib/modules" "$work/root/t"
    cp "$build/varve" "$work/root/usr/bin/"
    for t in "$build"/tests/test-{exec,snapshot,store}*; do [ -f "$t" ] && cp "$t" "$work/root/t/"; done
    cp /bin/busybox "$work/root/t/"
    cp "$build/varve" "$work/root/t/varve"
    mkdir "$work/root/t/tests"
    cp -r tests/cli tests/testbed "$work/root/t/tests/"
    # A compiler is slow there: what the tests compile is brought along where that can be.
    gcc -O1 -D_GNU_SOURCE -static-pie -o "$work/root/t/exe" tests/cli/escape/exe.c &&
        gcc -O1 -D_GNU_SOURCE -static -o "$work/root/t/spy" tests/cli/escape/spy.c || return 1
    mkdir -p "$work/root/usr/local/bin"
    cat >"$work/root/usr/local/bin/gcc" <<'END'
#!/bin/sh
all="$*"
while [ "$1" ] && [ "$1" != -o ]; do shift; done
[ -e "/t/$(basename "$2")" ] || exec /usr/bin/gcc $all
exec cp "/t/$(basename "$2")" "$2"
END
    chmod +x "$work/root/usr/local/bin/gcc"
    mkdir -p "$work/root/t/tests/data"
    cp -r tests/data/store "$work/root/t/tests/data/"
    cat >"$work/root/t/Dockerfile" <<'END'
FROM scratch AS base
COPY busybox /bin/
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN mkdir -p /dir/sub && echo 1 >/dir/old
FROM base AS other
RUN --mount=type=cache,target=/root/.cache echo 2 >/root/.cache/x && echo 2 >/two
FROM base
RUN rm -r /dir && mkdir /dir && echo 3 >/dir/new
RUN --network=none test "$(ls /dir)" = new && test -w /dev/null && ! test -e /dir/old
RUN --mount=from=other,target=/mnt/other test "$(cat /mnt/other/two)" = 2
COPY --from=other /two /
END
    write_script
}

boot() { # RELEASE
    mmdebstrap --quiet --variant=minbase --include=linux-image-amd64,initramfs-tools "$1" "$work/$1" >"$work/log" 2>&1 || return 1
    cp -a "$work/$1"/usr/lib/modules/* "$work/root/usr/lib/modules/"
    rm -f "$work/disk"
    mke2fs -q -t ext4 -d "$work/root" "$work/disk" 4G >"$work/log" 2>&1 || return 1
    timeout 5400 qemu-system-x86_64 -accel tcg,thread=multi -cpu max -m 2048 -smp 2 -nographic -no-reboot -net none \
        -kernel "$work/$1"/boot/vmlinuz-* -initrd "$work/$1"/boot/initrd.img-* \
        -append "root=/dev/vda rw console=ttyS0 init=/test.sh quiet panic=-1" \
        -drive "file=$work/disk,if=virtio,format=raw" >"$work/log" 2>&1 </dev/null
    tr -d '\r' <"$work/log" | sed -n 's/.*@\(ok\|not ok\|#\)/\1/p'
    grep -aq '@end' "$work/log"
}

failed() { echo "not ok - $1"; tail -25 "$work/log" | sed 's/^/# /'; }

make_root || { failed "a root for the machine"; exit 1; }
for release in "${releases[@]}"; do boot "$release" || failed "the kernel of $release"; done
