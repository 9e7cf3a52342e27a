#!/bin/sh
# Servers of other people's that caches are kept at, on 127.0.0.1, from npm: s3rver (S3, which checks
# signatures) and azurite (Azure Blob Storage). And in front of one of them cacheservice.py, which
# injects faults, and is GitHub's cache service when azurite is behind it.
#
# usage: cacheservers.sh install
#        cacheservers.sh start s3|azure DIR
#        cacheservers.sh stop DIR
#
# install  fetches them into the test bed's cache, once.
# start    writes DIR/pid, DIR/service.pid and DIR/log, waits until all answer, and prints the URL of
#          cacheservice.py, "http://127.0.0.1:PORT". Data is in DIR.
# stop     ends the processes of DIR and no others.
set -eu
# shellcheck source=tests/testbed/lib.sh
. "$(dirname "$0")/lib.sh"

usage() {
    sed -n '6,8s/^# //p' "$0" >&2
    exit 2
}

here=$(cd "$(dirname "$0")" && pwd)
home=$testbed_cache/cacheservers

install() {
    npm_packages "$home" "azurite, s3rver and @actions/cache" azurite s3rver @actions/cache
}

# await FILE PATTERN: the first match of an extended regular expression in a log that is being written.
await() {
    waited=0
    while [ $waited -lt 300 ]; do
        found=$(grep -oE "$2" "$1" | head -n 1) || true
        [ -z "$found" ] || { echo "$found" && return; }
        sleep 0.1
        waited=$((waited + 1))
    done
    die "no server came up; see $1: $(tail -n 3 "$1")"
}

launch_s3() {
    # What it is given besides is its bucket.
    setsid "$home/node_modules/.bin/s3rver" -d "$dir/data" -a 127.0.0.1 -p 0 --no-vhost-buckets \
        --configure-bucket cache >"$dir/log" 2>&1 </dev/null &
    echo $! >"$dir/pid"
}

launch_azure() {
    (cd "$dir/data" && exec setsid "$home/node_modules/.bin/azurite-blob" --blobPort 0 --silent \
        --disableTelemetry --skipApiVersionCheck --location "$dir/data") >"$dir/log" 2>&1 </dev/null &
    echo $! >"$dir/pid"
}

start() {
    kind=$1
    install
    mkdir -p "$dir/data"
    "launch_$kind"
    port=$(await "$dir/log" 'listen(s|ing) on (http://)?127\.0\.0\.1:[0-9]+' | grep -oE '[0-9]+$')
    python3 "$here/cacheservice.py" "$port" >"$dir/service.log" 2>"$dir/service.err" </dev/null &
    echo $! >"$dir/service.pid"
    await "$dir/service.log" 'http://127\.0\.0\.1:[0-9]+'
}

stop() {
    for file in "$dir/service.pid" "$dir/pid"; do
        [ -s "$file" ] || continue
        kill "$(cat "$file")" 2>/dev/null || true
        rm -f "$file"
    done
}

[ $# -ge 1 ] || usage
case $1 in
install) install ;;
start)
    [ $# -eq 3 ] || usage
    case $2 in s3 | azure) ;; *) usage ;; esac
    dir=$(realpath -m "$3")
    start "$2"
    ;;
stop)
    [ $# -eq 2 ] || usage
    dir=$(realpath -m "$2")
    stop
    ;;
*) usage ;;
esac
