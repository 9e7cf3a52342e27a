# Shared by the bats files that break things: fault servers, measured commands, traces of dead builds.
load helper

# Ends a process that this test started, and waits until it is gone.
end_process() {
    [ -n "${1:-}" ] || return 0
    kill "$1" 2>/dev/null || return 0
    for _ in $(seq 100); do
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.05
    done
    kill -9 "$1" 2>/dev/null || true
}

# faults_start ARGS…: a registry that misbehaves on request; FAULTS_HOST is its address. It dies with the test.
faults_start() {
    local out=$BATS_TEST_TMPDIR/faults.out fifo=$BATS_TEST_TMPDIR/faults.in
    rm -f "$fifo" "$out"
    mkfifo "$fifo"
    setpriv --pdeathsig TERM python3 "$FAULTS/registry.py" "$@" <>"$fifo" >"$out" 3>&- &
    FAULTS_PID=$!
    for _ in $(seq 100); do
        [ "$(wc -l <"$out")" -ge 2 ] && break
        sleep 0.05
    done
    FAULTS_HOST=127.0.0.1:$(head -1 "$out")
}

faults_stop() {
    end_process "${FAULTS_PID:-}"
    FAULTS_PID=
}

faults_curl() {
    curl -sf --noproxy '*' "$@"
}

# rules JSON: replaces the server's rules and empties its log.
rules() {
    faults_curl -X PUT --data "$1" "${FAULTS_SCHEME:-http}://$FAULTS_HOST/_rules" ${FAULTS_CA:+--cacert "$FAULTS_CA"} >/dev/null
}

# How many requests of the log match a regular expression of "METHOD PATH STATUS".
asked() {
    faults_curl "http://$FAULTS_HOST/_log" | python3 -c 'import json, re, sys
print(sum(1 for e in json.load(sys.stdin) if re.search(sys.argv[1], "%(method)s %(path)s %(status)s" % e)))' "$1"
}

# Patience of seconds where people have minutes, and no logins or mirrors of this machine.
quick_config() {
    export XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/config DOCKER_CONFIG=$BATS_TEST_TMPDIR/docker
    export CONTAINERS_REGISTRIES_CONF=$BATS_TEST_TMPDIR/registries.conf
    export REGISTRY_AUTH_FILE=$BATS_TEST_TMPDIR/auth.json
    export VARVE_CONFIG=$BATS_TEST_TMPDIR/varve.conf
    mkdir -p "$XDG_CONFIG_HOME" "$DOCKER_CONFIG"
    : >"$CONTAINERS_REGISTRIES_CONF"
    echo '{}' >"$REGISTRY_AUTH_FILE"
    printf '[registry]\ntries=3\nmax-wait=4\nstall=1\n%s' "${1:-}" >"$VARVE_CONFIG"
}

# measured SECONDS MB COMMAND…: runs it (output and status as usual); what needs longer or more memory has status 99.
measured() {
    python3 - "$@" <<'PY'
import resource, subprocess, sys, time
limit_s, limit_mb = float(sys.argv[1]), int(sys.argv[2])
begun = time.monotonic()
try:
    p = subprocess.run(sys.argv[3:], timeout=limit_s * 4, stdin=subprocess.DEVNULL)
    code = p.returncode
except subprocess.TimeoutExpired:
    code = 98
took = time.monotonic() - begun
mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
print(f"[{took:.2f} s, {mb} MB, code {code}]", file=sys.stderr)
sys.exit(99 if took > limit_s or mb > limit_mb or code == 98 else 128 - code if code < 0 else code)
PY
}

# Asserts that the store passes fsck and that nothing is left under construction.
clean_store() {
    local out
    out=$("$VARVE" fsck 2>&1) || {
        echo "fsck of $VARVE_ROOT: $out"
        return 1
    }
    [ -z "$(ls -A "$VARVE_ROOT/tmp")" ] || {
        echo "left in tmp/: $(ls -AR "$VARVE_ROOT/tmp" | head)"
        return 1
    }
}

# Asserts that no process has WORD in its environment, and that no mount of any process mentions the store.
no_traces() {
    local word=$1 pid
    for _ in $(seq 20); do
        pid=$(grep -lsazF -- "$word" /proc/[0-9]*/environ | head -1)
        [ -n "$pid" ] || break
        sleep 0.05
    done
    [ -z "$pid" ] || {
        echo "a process is left: $pid $(tr '\0' ' ' <"${pid%environ}cmdline")"
        return 1
    }
    if grep -lsF -- "$VARVE_ROOT" /proc/[0-9]*/mountinfo; then return 1; fi
}

# Asserts that a directory is as it was: fingerprint DIR before and after.
fingerprint() {
    find "$1" -printf '%P %y %m %U:%G %s %T@ %n\n' -type f -exec sha256sum {} + | sort | sha256sum
}
