#!/bin/sh
# A real image registry on 127.0.0.1, from Debian's docker-registry.
#
# usage: registry.sh start DIR [--port N] [--auth USER:PASSWORD] [--tls]
#        registry.sh stop DIR
#
# start  writes DIR/port, DIR/pid, DIR/log and DIR/config.yml, keeps the blobs in
#        DIR/data, waits until the registry answers and prints "127.0.0.1:PORT".
#        Without --port a free one is found. With --tls, DIR/ca.crt is what a client must
#        trust. Started twice, it says where the running one is.
# stop   ends the process of DIR/pid and no other, and waits for it. The data stays.
set -eu
# shellcheck source=tests/testbed/lib.sh
. "$(dirname "$0")/lib.sh"

usage() {
    sed -n '4,5s/^# //p' "$0" >&2
    exit 2
}

# running DIR: whether DIR/pid is alive and is the registry of this directory.
running() {
    [ -s "$1/pid" ] || return 1
    tr '\0' '\n' <"/proc/$(cat "$1/pid")/cmdline" 2>/dev/null | grep -qxF "$1/config.yml"
}

# listening PORT: whether something on this machine listens on the TCP port.
listening() {
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        awk -v port="$(printf ':%04X' "$1")" '$4 == "0A" && substr($2, length($2) - 4) == port { found = 1 } END { exit !found }'
}

free_port() {
    tries=0
    while [ $tries -lt 50 ]; do
        candidate=$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 12000))
        listening "$candidate" || {
            echo "$candidate"
            return
        }
        tries=$((tries + 1))
    done
    die "found no free port"
}

# A certificate authority for this directory, and a server certificate from it.
make_certificates() {
    [ -s "$dir/server.crt" ] && return 0
    need openssl test
    openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj '/CN=test bed CA' \
        -keyout "$dir/ca.key" -out "$dir/ca.crt" 2>/dev/null
    openssl req -newkey rsa:2048 -nodes -subj '/CN=localhost' \
        -keyout "$dir/server.key" -out "$dir/server.csr" 2>/dev/null
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >"$dir/server.ext"
    openssl x509 -req -in "$dir/server.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" \
        -CAcreateserial -days 3650 -extfile "$dir/server.ext" -out "$dir/server.crt.tmp" 2>/dev/null
    mv "$dir/server.crt.tmp" "$dir/server.crt"
}

write_config() {
    cat <<EOF
version: 0.1
log:
  level: warn
  accesslog:
    disabled: false
storage:
  filesystem:
    rootdirectory: $dir/data
  delete:
    enabled: true
http:
  addr: 127.0.0.1:$port
  secret: test-bed
EOF
    if [ -n "$tls" ]; then
        printf '  tls:\n    certificate: %s\n    key: %s\n' "$dir/server.crt" "$dir/server.key"
    fi
    if [ -n "$auth" ]; then
        printf 'auth:\n  htpasswd:\n    realm: test-bed\n    path: %s\n' "$dir/htpasswd"
    fi
}

# answers: whether the registry speaks HTTP; asking for a password is an answer too.
answers() {
    scheme=http
    [ -z "$tls" ] || scheme=https
    code=$(curl -s -o /dev/null -w '%{http_code}' --noproxy '*' --max-time 2 \
        ${tls:+--cacert "$dir/ca.crt"} "$scheme://127.0.0.1:$port/v2/") || return 1
    [ "$code" = 200 ] || [ "$code" = 401 ]
}

# alive PID: whether the process is there and not a zombie, whose command line is empty.
alive() {
    [ -n "$(tr -d '\0' <"/proc/$1/cmdline" 2>/dev/null)" ]
}

await() {
    waited=0
    while ! answers; do
        alive "$(cat "$dir/pid")" || return 1
        [ $waited -lt 100 ] || die "the registry does not answer on port $port; see $dir/log"
        sleep 0.1
        waited=$((waited + 1))
    done
}

# The registry takes REGISTRY_… of its environment for configuration (REGISTRY_AUTH_FILE is a client's).
launch() {
    write_config >"$dir/config.yml"
    setsid env -i PATH="$PATH" docker-registry serve "$dir/config.yml" >>"$dir/log" 2>&1 </dev/null &
    echo $! >"$dir/pid"
    echo "$port" >"$dir/port"
    await
}

start() {
    need docker-registry test
    need curl test
    mkdir -p "$dir"
    if running "$dir"; then
        say "already running"
        echo "127.0.0.1:$(cat "$dir/port")"
        return
    fi
    [ -z "$tls" ] || make_certificates
    if [ -n "$auth" ]; then
        need htpasswd test
        htpasswd -Bbn "${auth%%:*}" "${auth#*:}" >"$dir/htpasswd"
    fi
    if [ -n "$port" ]; then
        ! listening "$port" || die "port $port is in use; leave out --port to have a free one found"
        launch || die "the registry did not start: $(tail -n 1 "$dir/log")"
    else
        # Another process may take the port between the look and the start: then look again.
        port=$(free_port)
        launch || {
            port=$(free_port)
            launch || die "the registry did not start: $(tail -n 1 "$dir/log")"
        }
    fi
    echo "127.0.0.1:$port"
}

stop() {
    if running "$dir"; then
        pid=$(cat "$dir/pid")
        kill "$pid"
        waited=0
        while running "$dir"; do
            [ $waited -lt 100 ] || die "process $pid does not end"
            sleep 0.1
            waited=$((waited + 1))
        done
    fi
    rm -f "$dir/pid" "$dir/port"
}

[ $# -ge 2 ] || usage
verb=$1
dir=$(realpath -m "$2")
shift 2
port='' auth='' tls=''
while [ $# -gt 0 ]; do
    case $1 in
    --port) port=${2:?--port needs a number} && shift ;;
    --auth) auth=${2:?--auth needs USER:PASSWORD} && shift ;;
    --tls) tls=yes ;;
    *) usage ;;
    esac
    shift
done
case $verb in
start) start ;;
stop) stop ;;
*) usage ;;
esac
