#!/usr/bin/env bats
# Networks of RUN and of varve run: what is reached from inside, and what of it from outside.
bats_require_minimum_version 1.5.0
load robust
setup_file() {
    base_setup
    command -v pasta >/dev/null || skip "pasta (package passt) is not installed"
}

teardown() {
    end_process "${SERVER:-}"
    [ -z "${OUTER:-}" ] || { ip netns del "$OUTER"; }
    # A user's store has files of other ids, which only root of a namespace like its own can remove.
    [ "$(id -u)" -eq 0 ] || unshare -r --map-auto rm -rf "$VARVE_ROOT"
    # Nothing is left: pasta ends with its step, or with varve.
    for _ in $(seq 100); do
        [ -n "$(pastas)" ] || return 0
        sleep 0.05
    done
    pastas
    return 1
}

# The processes of pasta that a varve of this test file's user started.
pastas() { ps -eo user:32,pid,args | awk -v me="$(id -un)" '$1 == me && $3 ~ /pasta$/ && /--netns/'; }

# serve ADDRESS: a server on a free TCP port of it that answers "reached" with PORT as its number; ends with the test.
serve() {
    cat >../server.py <<'END'
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
kind = socket.SOCK_DGRAM if sys.argv[2:] == ["udp"] else socket.SOCK_STREAM
s = socket.socket(family, kind)
s.bind((sys.argv[1], 0))
if kind == socket.SOCK_STREAM:
    s.listen()
print(s.getsockname()[1], flush=True)
while True:
    if kind == socket.SOCK_DGRAM:
        data, peer = s.recvfrom(100)
        s.sendto(b"reached\n", peer)
    else:
        c, _ = s.accept()
        c.sendall(b"reached\n")
        c.close()
END
    # shellcheck disable=SC2086
    ${SERVE_IN:-} setpriv --pdeathsig TERM python3 ../server.py "$@" >../port 3>&- &
    SERVER=$!
    for _ in $(seq 100); do
        [ -s ../port ] && break
        sleep 0.05
    done
    PORT=$(cat ../port)
}

# Debian 12's pasta (2023) loses its way in connections whose client ends its side first, as nc </dev/null does: hence sleep.

# ran 'SCRIPT' ARGS…: the script as a RUN.
ran() {
    printf 'FROM busybox\nRUN <<"END"\n%s\nEND\n' "$1" >Dockerfile
    run build --no-cache "${@:2}" .
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
}

@test "the host's loopback, own addresses, gateway and metadata service are out of reach of RUN" {
    serve 0.0.0.0
    own=$(hostname -I | tr ' ' '\n' | grep -v : | head -1)
    [ "$(nc -w 2 127.0.0.1 "$PORT" </dev/null 2>/dev/null || timeout 2 bash -c "cat </dev/tcp/127.0.0.1/$PORT")" = reached ]
    gateway=$(ip route show default | awk '{print $3; exit}')
    ran "for a in 127.0.0.1 $own ${gateway:-192.0.2.1} 169.254.169.254; do timeout 3 nc -w 2 \$a $PORT </dev/null && echo GOT \$a; done; ip -o addr show lo; true"
    [[ "$output" != *"reached"* && "$output" != *"│ GOT"* ]] || { echo "$output"; return 1; }
    [[ "$output" == *"127.0.0.1/8"* ]]
    [[ "$output" != *"note: "* ]] || { echo "$output"; return 1; }
}

@test "a metadata service is unreachable, not only silent" {
    ran 'timeout 5 nc -w 4 169.254.169.254 80 </dev/null; echo code $?'
    [[ "$output" == *"unreachable"* || "$output" == *"o route"* ]] || { echo "$output"; return 1; }
}

@test "the outside is reached, by name too" {
    [ "$(id -u)" -eq 0 ] || skip "needs root to make an outside"
    OUTER=varve-outer-$$
    ip netns add "$OUTER"
    ip link add "vo$$" type veth peer name eth0 netns "$OUTER"
    ip addr add 10.213.77.1/30 dev "vo$$"
    ip link set "vo$$" up
    ip -n "$OUTER" addr add 10.213.77.2/30 dev eth0
    ip -n "$OUTER" link set eth0 up
    SERVE_IN="ip netns exec $OUTER" serve 10.213.77.2
    ran "(sleep 2 | timeout 5 nc 10.213.77.2 $PORT) & sleep 2 | timeout 5 nc 10.213.77.2 $PORT; wait; true"
    [ "$(grep -c '│ reached' <<<"$output")" -eq 2 ] || { echo "$output"; return 1; }
    ran "sleep 2 | timeout 5 nc somewhere $PORT; true" --add-host somewhere:10.213.77.2
    [[ "$output" == *"│ reached"* ]] || { echo "$output"; return 1; }
    SERVE_IN= end_process "$SERVER"
}

@test "host-gateway is the host, where --add-host asks for it" {
    serve 127.0.0.1
    ran "timeout 8 sh -c 'sleep 3 | nc host.docker.internal $PORT'; true" --add-host host.docker.internal:host-gateway
    [[ "$output" == *"│ reached"* ]] || { echo "$output"; return 1; }
    ran "timeout 3 nc -w 2 192.0.0.1 $PORT </dev/null && echo GOT; true"
    [[ "$output" != *"│ reached"* ]] || { echo "$output"; return 1; }
}

@test "host is the host's network and must be allowed; none is loopback alone" {
    serve 127.0.0.1
    printf 'FROM busybox\nRUN --network=host nc -w 2 127.0.0.1 %s </dev/null\nRUN --network=none ! nc -w 2 127.0.0.1 %s </dev/null; ip -o link | grep -c .\n' "$PORT" "$PORT" >Dockerfile
    run build .
    [ "$status" -ne 0 ]
    [[ "$output" == *"network.host"*"--allow"* ]] || { echo "$output"; return 1; }
    run build --allow network.host .
    [ "$status" -eq 0 ]
    [[ "$output" == *"│ reached"* && "$output" == *"│ 1"* ]] || { echo "$output"; return 1; }
}

@test "abstract sockets of the host are out of reach" {
    python3 -c '
import socket, time
s = socket.socket(socket.AF_UNIX); s.bind("\0varve-test-abstract"); s.listen(); time.sleep(30)' 3>&- &
    SERVER=$!
    for _ in $(seq 100); do grep -q varve-test-abstract /proc/net/unix && break; sleep 0.05; done
    ran 'grep -c varve-test-abstract /proc/net/unix; true'
    [[ "$output" == *"│ 0"* ]] || { echo "$output"; return 1; }
}

@test "a step that opens no network socket starts no pasta; parallel steps have networks of their own" {
    printf 'FROM busybox AS a\nRUN nc -l -p 4321 -e echo a & sleep 1; nc -w 1 127.0.0.1 4321 </dev/null; wait\nFROM busybox AS b\nRUN nc -l -p 4321 -e echo b & sleep 1; nc -w 1 127.0.0.1 4321 </dev/null; wait\nFROM busybox\nCOPY --from=a /etc/passwd /a\nCOPY --from=b /etc/passwd /b\n' >Dockerfile
    run build .
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [[ "$output" == *"│ a"* && "$output" == *"│ b"* ]] || { echo "$output"; return 1; }
    mkdir ../bin
    printf '#!/bin/sh\ntouch %s/started\nexec %s "$@"\n' "$BATS_TEST_TMPDIR" "$(command -v pasta)" >../bin/pasta
    chmod +x ../bin/pasta
    PATH=$BATS_TEST_TMPDIR/bin:$PATH ran 'id; cat /etc/resolv.conf; adduser -D somebody; ls -R /etc >/x'
    [ ! -e ../started ]
}

@test "without pasta: the host's network and one note; network=private makes it an error, host says nothing" {
    mkdir ../bin
    for tool in sh bash cat newuidmap newgidmap; do ln -s "$(command -v $tool)" ../bin/$tool; done
    serve 127.0.0.1
    printf 'FROM busybox\nRUN nc -w 2 127.0.0.1 %s </dev/null\nRUN nc -w 2 127.0.0.1 %s </dev/null && true\n' "$PORT" "$PORT" >Dockerfile
    PATH=$BATS_TEST_TMPDIR/bin run build --no-cache .
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [ "$(grep -c '│ reached' <<<"$output")" -eq 2 ]
    [ "$(grep -c '^note: .*passt' <<<"$output")" -eq 1 ] || { echo "$output"; return 1; }
    export XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/config
    mkdir -p "$XDG_CONFIG_HOME/varve"
    printf '[run]\nnetwork=private\n' >"$XDG_CONFIG_HOME/varve/varve.conf"
    PATH=$BATS_TEST_TMPDIR/bin run build --no-cache .
    [ "$status" -eq 4 ]
    [[ "$output" == *"network of its own"*"passt"* ]] || { echo "$output"; return 1; }
    printf '[run]\nnetwork=host\n' >"$XDG_CONFIG_HOME/varve/varve.conf"
    run build --no-cache .
    [ "$status" -eq 0 ]
    [[ "$output" == *"│ reached"* && "$output" != *"note: "* ]] || { echo "$output"; return 1; }
}

@test "a pasta that refuses while a program runs leaves it its loopback, never the host's network" {
    mkdir ../bin
    printf '#!/bin/sh\necho no way >&2\nexit 1\n' >../bin/pasta
    chmod +x ../bin/pasta
    serve 127.0.0.1
    PATH=$BATS_TEST_TMPDIR/bin:$PATH ran "timeout 3 nc -w 2 127.0.0.1 $PORT </dev/null && echo GOT; timeout 3 nc -w 2 169.254.169.254 80 </dev/null; true"
    [[ "$output" != *"│ reached"* && "$output" != *"│ GOT"* ]] || { echo "$output"; return 1; }
    [ "$(grep -c '^note: .*no way.*loopback' <<<"$output")" -eq 1 ] || { echo "$output"; return 1; }
}

@test "a /dev/net/tun that cannot be opened is what the note names, and how to open it" {
    [ "$(id -u)" -eq 0 ] || skip "needs root to mount"
    printf 'FROM busybox\nRUN nc -w 1 192.0.2.77 1 </dev/null; true\n' >Dockerfile
    # On a file system without devices not even root opens one.
    run unshare -m sh -c 'mount -t tmpfs -o nodev tmpfs /dev/net && mknod -m 600 /dev/net/tun c 10 200 && exec "$@"' sh \
        "$VARVE" build --no-cache --progress=plain --build-context "busybox=oci-layout://$BASES/busybox-oci" .
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [ "$(grep -c '^note: pasta needs /dev/net/tun, which cannot be opened: Permission denied: .*sudo chmod 666 /dev/net/tun.*udev' <<<"$output")" -eq 1 ] || { echo "$output"; return 1; }
    [[ "$output" != *"install the package"* ]]
    run unshare -m sh -c 'mount -t tmpfs tmpfs /dev/net && exec "$@"' sh \
        "$VARVE" build --no-cache --progress=plain --build-context "busybox=oci-layout://$BASES/busybox-oci" .
    [[ "$output" == *"note: pasta needs /dev/net/tun, which cannot be opened: No such file"*"sudo modprobe tun"* ]] || { echo "$output"; return 1; }
}

# hanging NAME 'SCRIPT' SECONDS: a pasta below ../NAME that runs this and then sleeps; its sleep is known by the seconds.
hanging() {
    mkdir "../$1"
    printf '#!/bin/sh\n%s\nsleep %s & wait\n' "$2" "$3" >"../$1/pasta"
    chmod +x "../$1/pasta"
}

# Each waits for 15 s: all of them at once.
@test "a pasta that hangs, or closes its pipe: given up after 15 s with all it started, the waiting call is answered" {
    local long=$((1000000 + BASHPID)) # no other test's
    hanging sleeps : "$long"
    hanging closes 'exec >&-' "$long"
    printf 'FROM busybox\nCMD ["echo", "came to run"]\n' >Dockerfile
    build -q -t hang:1 . >/dev/null
    printf 'FROM busybox\nRUN nc -w 1 192.0.2.77 1 </dev/null; echo "went on: $?"\n' >Dockerfile
    for how in sleeps closes; do
        PATH=$BATS_TEST_TMPDIR/$how:$PATH timeout 60 "$VARVE" build --no-cache --progress=plain --build-context "busybox=oci-layout://$BASES/busybox-oci" . >../$how.out 2>&1 3>&- &
    done
    PATH=$BATS_TEST_TMPDIR/sleeps:$PATH timeout 60 "$VARVE" run hang:1 >../run.out 2>&1 3>&- &
    local port=$((20000 + RANDOM % 10000)) status=0
    PATH=$BATS_TEST_TMPDIR/closes:$PATH timeout 60 "$VARVE" run -p 127.0.0.1:$port:80 hang:1 >../port.out 2>&1 3>&- &
    local publishing=$!
    mkdir -p ../private/varve
    printf '[run]\nnetwork=private\n' >../private/varve/varve.conf
    XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/private PATH=$BATS_TEST_TMPDIR/sleeps:$PATH timeout 60 "$VARVE" run hang:1 >../private.out 2>&1 3>&- &
    local private=$!
    SECONDS=0
    wait $publishing || status=$?
    [ "$status" -eq 4 ] || { cat ../port.out; return 1; }
    status=0
    wait $private || status=$?
    [ "$status" -eq 4 ] || { cat ../private.out; return 1; }
    wait
    [ "$SECONDS" -ge 13 ] && [ "$SECONDS" -lt 45 ] || { echo "$SECONDS s"; return 1; }
    for how in sleeps closes; do
        grep -q 'went on: 1' ../$how.out || { cat ../$how.out; return 1; }
        [ "$(grep -c '^note: pasta did not get ready in 15 s: .*loopback.*try it by hand' ../$how.out)" -eq 1 ] || { cat ../$how.out; return 1; }
    done
    grep -q '^note: pasta did not get ready in 15 s: .*the host.s network.*try it by hand' ../run.out || { cat ../run.out; return 1; }
    grep -q 'came to run' ../run.out
    grep -q 'cannot publish ports: pasta did not get ready in 15 s' ../port.out || { cat ../port.out; return 1; }
    grep -q '^next: try it by hand' ../port.out
    grep -q 'of its own: pasta did not get ready in 15 s' ../private.out || { cat ../private.out; return 1; }
    run ! pgrep -f "sleep $long"
}

@test "after a pasta that hung the other steps of a build do not wait for theirs" {
    hanging sleeps : $((1000000 + BASHPID))
    printf 'FROM busybox\n' >Dockerfile
    for i in 1 2 3 4; do printf 'RUN nc -w 1 192.0.2.77 %s </dev/null; echo "went on: $?"\n' "$i" >>Dockerfile; done
    SECONDS=0
    PATH=$BATS_TEST_TMPDIR/sleeps:$PATH run build --no-cache .
    [ "$status" -eq 0 ] && [ "$(grep -c 'went on: 1$' <<<"$output")" -eq 4 ] || { echo "$output"; return 1; }
    [ "$SECONDS" -ge 14 ] && [ "$SECONDS" -lt 28 ] || { echo "$SECONDS s"; return 1; }
}

@test "Ctrl-C while a pasta hangs ends a build and a run at once" {
    local long=$((1000000 + BASHPID))
    hanging sleeps : "$long"
    printf 'FROM busybox\nRUN nc -w 1 192.0.2.77 1 </dev/null\n' >Dockerfile
    printf 'FROM busybox\n' >Dockerfile.run
    build -q -t hang:1 -f Dockerfile.run . >/dev/null
    for what in "build --no-cache --build-context busybox=oci-layout://$BASES/busybox-oci ." "run hang:1 true"; do
        # shellcheck disable=SC2086
        PATH=$BATS_TEST_TMPDIR/sleeps:$PATH env --default-signal=INT "$VARVE" $what >../out 2>&1 3>&- &
        local varve=$! status=0
        for _ in $(seq 100); do pgrep -f "sleep $long" >/dev/null && break; sleep 0.05; done
        pgrep -f "sleep $long" >/dev/null || { cat ../out; return 1; }
        SECONDS=0
        kill -INT $varve
        wait $varve || status=$?
        [ "$SECONDS" -lt 5 ] || { echo "$what took $SECONDS s"; return 1; }
        [ "$status" -ne 0 ]
        run ! pgrep -f "sleep $long"
    done
}

@test "varve run publishes ports, tcp and udp, at an address, and all that are exposed" {
    cat >Dockerfile <<'END'
FROM busybox
EXPOSE 4000 4001/udp
CMD ["sh", "-c", "while :; do echo from-inside | nc -l -p 4000; done"]
END
    build -q -t served:1 . >/dev/null
    port=$((20000 + RANDOM % 10000))
    pid=$("$VARVE" run -d -p 127.0.0.1:$port:4000 served:1)
    got=
    for _ in $(seq 50); do
        got=$(timeout 3 python3 -c "import socket; s = socket.create_connection(('127.0.0.1', $port), 2); print(s.recv(99).decode())" 2>/dev/null) && [[ "$got" == *from-inside* ]] && break
        sleep 0.1
    done
    kill "$pid"
    [[ "$got" == *from-inside* ]] || { echo "got: $got"; return 1; }
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.05; done
    serve 127.0.0.1
    run "$VARVE" run -p 127.0.0.1:$PORT:80 served:1 true
    [ "$status" -eq 4 ]
    [[ "$output" == *"publish"*"next: "* ]] || { echo "$output"; return 1; }
    for wrong in x 80:x 80:70000 1.2.3:80:80 80:80/icmp; do
        run "$VARVE" run -p "$wrong" served:1 true
        [ "$status" -eq 2 ] || { echo "$wrong: $output"; return 1; }
    done
}

@test "a build that is killed leaves no pasta behind" {
    printf 'FROM busybox\nRUN nc -w 1 192.0.2.77 1 </dev/null; sleep 60\n' >Dockerfile
    build --no-cache . >../out 2>&1 3>&- &
    builder=$!
    for _ in $(seq 200); do [ -n "$(pastas)" ] && break; sleep 0.05; done
    [ -n "$(pastas)" ]
    pkill -9 -P $builder -f varve || true
    kill -9 $builder 2>/dev/null || true
    wait $builder || true
}

@test "a health check has the network of its program" {
    printf 'FROM busybox\nCMD ["sh", "-c", "while :; do echo ok | nc -l -p 5000; done"]\n' >Dockerfile
    build -q -t h:1 . >/dev/null
    run timeout 30 "$VARVE" run --stop-timeout 1 --wait-healthy --health-cmd 'nc -w 1 127.0.0.1 5000 </dev/null | grep -q ok && kill 1' --health-interval 300ms --health-start-interval 300ms h:1
    [[ "$output" == *healthy* || "$status" -ne 124 ]] || { echo "$output"; return 1; }
}
