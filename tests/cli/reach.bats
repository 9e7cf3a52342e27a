#!/usr/bin/env bats
# Ways around the routes of a sandbox's network: what arrives at a server of the host's is what got out.
bats_require_minimum_version 1.5.0
load robust

setup_file() {
    base_setup
    command -v pasta >/dev/null || skip "pasta (package passt) is not installed"
    gcc -O1 -D_GNU_SOURCE -static -o "$BATS_FILE_TMPDIR/reach" "$BATS_TEST_DIRNAME/escape/reach.c"
}

teardown() {
    end_process "${SERVER:-}"
    [ -z "${OUTER:-}" ] || ip netns del "$OUTER"
    for a in ${MINE:-}; do ip addr del $a dev lo; done
    # A user's store has files of other ids, which only root of a namespace like its own can remove.
    [ "$(id -u)" -eq 0 ] || unshare -r --map-auto rm -rf "$VARVE_ROOT"
}

# A server at PORT, TCP and UDP, of all addresses; ARRIVED names what came.
serve() {
    ARRIVED=$BATS_TEST_TMPDIR/arrived
    cat >../server.py <<'END'
import socket, struct, threading
def on(kind, port):
    s = socket.socket(socket.AF_INET6, kind)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.bind(("::", port))
    return s
udp = on(socket.SOCK_DGRAM, 0)
tcp = on(socket.SOCK_STREAM, udp.getsockname()[1])
tcp.listen(100)
for number, name in socket.if_nameindex():  # groups, on every interface that has them
    for level, option, member in ((socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("224.0.0.251") + struct.pack("=4si", bytes(4), number)),
                                  (socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, "ff02::fb") + struct.pack("=i", number))):
        try:
            udp.setsockopt(level, option, member)
        except OSError:
            pass
print(udp.getsockname()[1], flush=True)
def datagrams():
    while True:
        print(udp.recv(100).decode(), flush=True)
threading.Thread(target=datagrams, daemon=True).start()
while True:
    print("tcp from", tcp.accept()[1], flush=True)
END
    # shellcheck disable=SC2086
    ${SERVE_IN:-} setpriv --pdeathsig TERM python3 ../server.py >"$ARRIVED" 3>&- &
    SERVER=$!
    for _ in $(seq 100); do
        [ -s "$ARRIVED" ] && break
        sleep 0.05
    done
    PORT=$(head -1 "$ARRIVED")
}

# reach ADDRESS…: all ways, from a RUN. WENT is what arrived.
reach() {
    local before
    before=$(wc -l <"$ARRIVED")
    cp "$BATS_FILE_TMPDIR/reach" .
    printf 'FROM busybox\nCOPY reach /\nRUN /reach %s %s\n' "$PORT" "$*" >Dockerfile
    run build --no-cache .
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [[ "$output" == *"frame-$1: sent"* ]] || { echo "$output"; return 1; }
    WENT=$(tail -n +$((before + 1)) "$ARRIVED")
}

@test "the host's loopback is not reached through the interface, by packets or by frames" {
    serve
    reach 127.0.0.1 127.1.2.3 ::1 ::ffff:127.0.0.1 0.0.0.1
    [ -z "$WENT" ] || { echo "$WENT"; return 1; }
}

@test "none of the host's own addresses is reached" {
    [ "$(id -u)" -eq 0 ] || skip "needs root to give the host one more"
    local own
    own=$(hostname -I | tr ' ' '\n' | grep -v : | head -1)
    MINE="10.213.79.1/32 fd13:79::1/128"
    for a in $MINE; do ip addr add $a dev lo; done
    serve
    reach 10.213.79.1 ${own:+"$own"} fd13:79::1
    [ -z "$WENT" ] || { echo "$WENT"; return 1; }
    [[ "$output" == *"device-tcp-fd13:79::1: Network is unreachable"* || "$output" == *"No route to host"* ]] || { echo "$output"; return 1; }
}

@test "services of the host that listen to a group or to broadcasts are not reached" {
    serve
    reach 224.0.0.251 ff02::fb 255.255.255.255
    [ -z "$WENT" ] || { echo "$WENT"; return 1; }
}

@test "a metadata service is not reached either, what lies beside it is" {
    [ "$(id -u)" -eq 0 ] || skip "needs root to make an outside"
    OUTER=varve-reach-$$
    ip netns add "$OUTER"
    ip link add "vr$$" type veth peer name eth0 netns "$OUTER"
    ip addr add 10.213.78.1/30 dev "vr$$"
    ip link set "vr$$" up
    ip -n "$OUTER" link set eth0 up
    for a in 10.213.78.2/30 169.254.169.254/32 100.100.100.200/32; do ip -n "$OUTER" addr add $a dev eth0; done
    for a in 169.254.169.254 100.100.100.200; do ip route add $a via 10.213.78.2 dev "vr$$"; done
    SERVE_IN="ip netns exec $OUTER" serve
    python3 -c "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'from the host', ('169.254.169.254', $PORT))"
    for _ in $(seq 100); do grep -q 'from the host' "$ARRIVED" && break; sleep 0.05; done
    reach 10.213.78.2 169.254.169.254 100.100.100.200
    [[ "$WENT" != *169.254* && "$WENT" != *100.100* ]] || { echo "$WENT"; return 1; }
    for way in device-udp index info frame header; do
        [[ "$WENT" == *"$way-10.213.78.2"* ]] || { echo "$way: $WENT"; return 1; }
    done
    [ "$(grep -c '^tcp' <<<"$WENT")" -eq 1 ] || { echo "$WENT"; return 1; }
}
