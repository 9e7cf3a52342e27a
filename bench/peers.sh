#!/bin/sh
# The builders that varve is compared with, from Debian sid in a chroot of their own.
#
#   bench/peers.sh setup              make the chroot and install docker, buildx, buildah, skopeo, runc, containerd
#   bench/peers.sh start [ENGINE...]  mount what they need and start the engines (default: docker oracle registry)
#   bench/peers.sh stop  [ENGINE...]  stop the engines; without a name all of them, and take the mounts away
#   bench/peers.sh exec -- CMD...     run a command inside (docker, buildah, skopeo ...)
#   bench/peers.sh exec-as ENGINE -- CMD...   the same with DOCKER_HOST set to that engine
#   bench/peers.sh status             what is set up, what runs
#
# Engines:
#   docker    dockerd with its default store (overlay2): the peer of the benchmark
#   oracle    dockerd with the containerd image store, which can export type=oci: the oracle of tests/conformance
#   registry  docker-registry of the host (Debian's package) on 127.0.0.1:5000, plain http
#
# Environment:
#   VARVE_PEERS       the chroot (default /var/tmp/varve-peers)
#   VARVE_PEERS_DATA  where the engines keep their data, seen from inside (default /var/lib/varve-peers); a tmpfs
#                     mounted there before `start` puts every store in memory
# Needs root, debootstrap and, for `registry`, docker-registry. Every verb may be repeated. Only processes whose
# pid was recorded by `start`, and that are still the same program, are ever signalled.
set -eu

DIR=${VARVE_PEERS:-/var/tmp/varve-peers}
DATA=${VARVE_PEERS_DATA:-/var/lib/varve-peers}
PIDS=$DIR/.pids
PACKAGES="docker.io docker-cli docker-buildx buildah skopeo runc containerd ca-certificates xz-utils zstd iproute2 git netavark"
REGISTRY=127.0.0.1:5000

say() { printf '%s\n' "peers: $*" >&2; }
die() { say "$*"; exit 1; }

mounts_up() {
    # The root must be a mount of its own: containerd looks up where its data is mounted.
    mountpoint -q "$DIR" || { mount --bind "$DIR" "$DIR"; mount --make-private "$DIR"; }
    for m in proc sys dev; do
        mountpoint -q "$DIR/$m" || { mount --rbind "/$m" "$DIR/$m"; mount --make-rslave "$DIR/$m"; }
    done
    mountpoint -q "$DIR/run" || mount -t tmpfs -o mode=755 tmpfs "$DIR/run"
    mkdir -p "$DIR/run/lock"
    cp -L /etc/resolv.conf "$DIR/etc/resolv.conf" 2>/dev/null || :
}

mounts_down() {
    # Deepest first: what engines left mounted (overlays, namespaces) goes before what they stood on.
    awk -v d="$DIR/" 'index($5, d) == 1 { print $5 }' /proc/self/mountinfo | sort -r | grep -v -E "^$DIR/(proc|sys|dev)(/|$)" |
        while read -r m; do umount "$m" 2>/dev/null || umount -l "$m" 2>/dev/null || :; done
    for m in dev sys proc; do
        ! mountpoint -q "$DIR/$m" || umount -R -l "$DIR/$m"
    done
    ! mountpoint -q "$DIR" || umount -l "$DIR"
}

in_root() { chroot "$DIR" /usr/bin/env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    TMPDIR=/var/tmp BUILDAH_ISOLATION=oci ${DOCKER_HOST:+DOCKER_HOST="$DOCKER_HOST"} "$@"; }

setup() {
    [ "$(id -u)" = 0 ] || die "setup needs root"
    if [ ! -e "$DIR/.debootstrapped" ]; then
        command -v debootstrap >/dev/null || die "debootstrap is missing: apt-get install debootstrap"
        say "making Debian sid in $DIR"
        mkdir -p "$DIR"
        debootstrap --variant=minbase sid "$DIR" >"$DIR.log" 2>&1 || die "debootstrap failed; see $DIR.log"
        : >"$DIR/.debootstrapped"
    fi
    if [ ! -e "$DIR/.installed" ] || [ "$(cat "$DIR/.installed")" != "$PACKAGES" ]; then
        say "installing $PACKAGES"
        mounts_up
        printf '#!/bin/sh\nexit 101\n' >"$DIR/usr/sbin/policy-rc.d"
        chmod 755 "$DIR/usr/sbin/policy-rc.d"
        # A mirror may be a frozen snapshot: the signature is checked, the expiry date is not.
        # shellcheck disable=SC2086
        { in_root apt-get -q -o Acquire::Check-Valid-Until=false update && in_root DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends \
            -o DPkg::Lock::Timeout=300 $PACKAGES; } >>"$DIR.log" 2>&1 || die "install failed; see $DIR.log"
        printf '%s\n' "$PACKAGES" >"$DIR/.installed"
    fi
    configure
    say "ready in $DIR"
}

configure() {
    mkdir -p "$DIR/etc/containers" "$DIR/etc/docker" "$PIDS"
    printf '{"features": {"containerd-snapshotter": true}}\n' >"$DIR/etc/docker/oracle.json"
    printf '{"features": {"containerd-snapshotter": false}}\n' >"$DIR/etc/docker/docker.json"
    printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$REGISTRY" >"$DIR/etc/containers/registries.conf"
    printf '{"default":[{"type":"insecureAcceptAnything"}]}\n' >"$DIR/etc/containers/policy.json"
    printf '[storage]\ndriver = "overlay"\nrunroot = "/run/containers"\ngraphroot = "%s/buildah"\n' "$DATA" \
        >"$DIR/etc/containers/storage.conf"
    cat >"$DIR/etc/docker/registry.yml" <<YML
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: "$DIR$DATA/registry"}, delete: {enabled: true}}
http: {addr: "$REGISTRY"}
YML
}

# alive NAME: the pid recorded for NAME, if it is still the program that was started.
alive() {
    [ -s "$PIDS/$1" ] || return 1
    read -r pid started <"$PIDS/$1"
    [ -r "/proc/$pid/stat" ] && [ "$(start_time "$pid")" = "$started" ] && printf '%s\n' "$pid"
}
start_time() { sed 's/.*) //' "/proc/$1/stat" | cut -d' ' -f20; }

# launch NAME CMD...: start in the background, in a session of its own, and remember pid and start time.
launch() {
    name=$1; shift
    setsid "$@" >"$DIR/var/log/$name.log" 2>&1 </dev/null &
    pid=$!
    sleep 0.2
    [ -r "/proc/$pid/stat" ] || die "$name did not start; see $DIR/var/log/$name.log"
    printf '%s %s\n' "$pid" "$(start_time "$pid")" >"$PIDS/$name"
}

wait_for() { # NAME SECONDS CMD...
    name=$1; left=$(($2 * 5)); shift 2
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        if [ $left -le 0 ] || ! alive "$name" >/dev/null; then die "$name does not answer; see $DIR/var/log/$name.log"; fi
        sleep 0.2
    done
}

start_dockerd() { # NAME
    mkdir -p "$DIR$DATA/$1"
    launch "$1" chroot "$DIR" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        dockerd --config-file "/etc/docker/$1.json" --data-root "$DATA/$1" --exec-root "/run/$1" --pidfile "/run/$1.pid" \
        --host "unix:///run/$1.sock" --iptables=false --ip6tables=false --bridge=none --insecure-registry "$REGISTRY"
    wait_for "$1" 60 in_root docker -H "unix:///run/$1.sock" version
}

start_one() {
    if pid=$(alive "$1"); then say "$1 runs (pid $pid)"; return; fi
    case $1 in
    docker | oracle) start_dockerd "$1" ;;
    registry)
        command -v docker-registry >/dev/null || die "docker-registry is missing: apt-get install docker-registry"
        mkdir -p "$DIR$DATA/registry"
        launch registry docker-registry serve "$DIR/etc/docker/registry.yml"
        wait_for registry 10 python3 -c "import urllib.request as u; u.urlopen('http://$REGISTRY/v2/')" ;;
    *) die "unknown engine $1" ;;
    esac
    say "$1 started (pid $(alive "$1"))"
}

stop_one() {
    if pid=$(alive "$1"); then
        kill "$pid"
        left=150
        while alive "$1" >/dev/null && [ $left -gt 0 ]; do left=$((left - 1)); sleep 0.2; done
        if alive "$1" >/dev/null; then say "$1 does not end, killing it"; kill -9 "$pid"; fi
        say "$1 stopped"
    fi
    rm -f "$PIDS/$1"
}

status() {
    if [ -e "$DIR/.installed" ]; then say "set up in $DIR ($(du -sxm "$DIR" 2>/dev/null | cut -f1) MB)"; else say "not set up"; fi
    for e in docker oracle registry; do
        if pid=$(alive "$e"); then say "$e runs (pid $pid)"; else say "$e is stopped"; fi
    done
}

need_setup() { [ -e "$DIR/.installed" ] || die "not set up; run: bench/peers.sh setup"; }

verb=${1:-}
[ $# -eq 0 ] || shift
case $verb in
setup) setup ;;
start)
    need_setup; configure; mounts_up
    [ $# -gt 0 ] || set -- docker oracle registry
    for e in "$@"; do start_one "$e"; done ;;
stop)
    all=; [ $# -gt 0 ] || { set -- registry oracle docker; all=1; }
    for e in "$@"; do stop_one "$e"; done
    [ -z "$all" ] || mounts_down ;;
exec) need_setup; [ "${1:-}" != -- ] || shift; DOCKER_HOST=${DOCKER_HOST:-unix:///run/docker.sock}; in_root "$@" ;;
exec-as) need_setup; DOCKER_HOST=unix:///run/$1.sock; shift; [ "${1:-}" != -- ] || shift; in_root "$@" ;;
status) status ;;
*) sed -n '2,20s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
