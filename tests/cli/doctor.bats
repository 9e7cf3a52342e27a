#!/usr/bin/env bats
# varve doctor: with what is missing taken away for real.
load helper
bats_require_minimum_version 1.5.0

state() { # NAME: the state of a finding in the last output, which is JSON
    jq -r --arg n "$1" '.findings[] | select(.name == $n) | .state' <<<"$output" | head -1
}
found() { jq -r --arg n "$1" '.findings[] | select(.name == $n) | "\(.found) | \(.remedy)"' <<<"$output" | head -1; }

# As root of a user namespace, with a mount namespace, in which COMMAND prepares what is to be missing.
without() { # COMMAND [ARG…]: then varve doctor ARG…
    local prepare=$1
    shift
    run --separate-stderr unshare -Urm sh -c "$prepare"' && exec "$@"' sh "${as[@]}" "$VARVE" doctor --json "$@"
}

setup_file() {
    unshare -Urm true 2>/dev/null || skip "no user namespaces here"
}

@test "doctor finds that builds run, prints a line for each thing, and leaves nothing behind" {
    mkdir -p "$BATS_TEST_TMPDIR/parent"
    before=$(ls -A /tmp | wc -l)
    VARVE_ROOT=$BATS_TEST_TMPDIR/parent/store run --separate-stderr "$VARVE" doctor
    echo "$output"
    [ "$status" -eq 0 ]
    [ "${lines[-1]}" = "builds can run" ]
    for name in kernel "user namespace" "user ids" store space locks overlayfs "/proc and /sys" sandbox cgroups network emulation certificates git clock; do
        grep -qE "^(ok|limited|missing) +$name  " <<<"$output" || { echo "no $name"; false; }
    done
    [ -z "$(ls -A "$BATS_TEST_TMPDIR/parent")" ]
    run ! grep -q varve-doctor /proc/self/mountinfo
}

@test "doctor --json says the same to programs" {
    run --separate-stderr "$VARVE" doctor --json
    [ "$status" -eq 0 ]
    [ "$(jq -r .ok <<<"$output")" = true ]
    [ "$(state sandbox)" = ok ]
    [ "$(jq -r '[.findings[] | select(.found == null or .purpose == null or (.state != "ok" and .remedy == null))] | length' <<<"$output")" = 0 ]
}

@test "no more user namespaces: builds cannot run, and the sysctl is named" {
    as=(setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin)
    without 'echo 0 >/proc/sys/user/max_user_namespaces'
    echo "$output"
    [ "$status" -eq 1 ]
    [ "$(jq -r .ok <<<"$output")" = false ]
    [ "$(state "user namespace")" = missing ]
    [[ "$(found "user namespace")" == *"user.max_user_namespaces=0"*"sysctl -w user.max_user_namespaces"* ]]
    # The same is the first line of what a build says.
    printf 'FROM scratch\nCOPY x /\n' >Dockerfile
    echo >x
    run unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"' sh "${as[@]}" "$VARVE" build .
    [ "$status" -ne 0 ]
    [[ "${lines[0]}" == *"limit of them is reached (sysctl user.max_user_namespaces)" ]]
}

@test "only one user id" {
    without true
    [ "$status" -eq 0 ]
    [ "$(state "user ids")" = limited ]
    [[ "$(found "user ids")" == *"usermod --add-subuids"* ]]
}

@test "no newuidmap: one id, and the package is named" {
    [ "$(id -u)" -eq 0 ] || skip "needs root, to be another user"
    id varvetest >/dev/null 2>&1 || skip "no user varvetest (tests/rootless.sh makes it)"
    mkdir bin && ln -s "$(command -v git)" bin/
    cp "$VARVE" bin/varve && chmod -R a+rX "$BATS_TEST_TMPDIR" && chmod a+x "$BATS_RUN_TMPDIR" "$(dirname "$BATS_RUN_TMPDIR")" 2>/dev/null
    run --separate-stderr setpriv --reuid=varvetest --regid=varvetest --clear-groups env -i HOME=/tmp PATH="$PWD/bin" VARVE_ROOT=/tmp/none-$$ "$PWD/bin/varve" doctor --json
    echo "$output $stderr"
    [ "$status" -eq 0 ]
    [ "$(state "user ids")" = limited ]
    [[ "$(found "user ids")" == *"newuidmap (package uidmap) cannot be run"* ]]
}

@test "no /dev/net/tun, and no pasta" {
    command -v pasta >/dev/null || skip "no pasta here"
    without 'mount -t tmpfs none /dev/net'
    [ "$status" -eq 0 ]
    [ "$(state network)" = limited ]
    [[ "$(found network)" == *"/dev/net/tun, which cannot be opened"* ]]
    mkdir empty
    run --separate-stderr env PATH="$PWD/empty" "$VARVE" doctor --json
    [ "$status" -eq 0 ]
    [ "$(state network)" = limited ]
    [[ "$(found network)" == *"package passt"* ]]
    [ "$(state git)" = limited ]
}

@test "a masked /proc is what sandboxes share" {
    [ "$(id -u)" -eq 0 ] || skip "needs root, to take away other mounts of /proc"
    others='awk "\$5 != \"/proc\" && / - proc /{print \$5}" /proc/self/mountinfo | xargs -r -n1 umount -l'
    run --separate-stderr unshare -m sh -c "$others"'; mount --bind /dev/null /proc/timer_list && exec unshare -Urm "$@"' sh "$VARVE" doctor --json
    [ "$status" -eq 0 ]
    [ "$(state "/proc and /sys")" = limited ]
    [ "$(state sandbox)" = ok ]
}

@test "a store in memory, on overlayfs, and where nothing can be written" {
    mkdir lower upper work merged
    without "mount -t tmpfs none '$PWD/work'" # the folder itself
    run --separate-stderr unshare -Urm sh -c 'mount -t tmpfs none work && exec "$@"' sh "$VARVE" --root "$PWD/work/s" doctor --json
    [ "$(state store)" = limited ]
    [[ "$(found store)" == *"on tmpfs"* ]]
    run --separate-stderr unshare -Urm sh -c 'mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work,userxattr overlay merged && exec "$@"' sh "$VARVE" --root "$PWD/merged/s" doctor --json
    [ "$status" -eq 0 ]
    [ "$(state overlayfs)" = limited ]
    [[ "$(found overlayfs)" == "layers will be copied: "*overlay* ]]
    [ -z "$(ls -A upper)" ]
    run --separate-stderr unshare -Urm sh -c 'mount -t tmpfs -o ro none work && exec "$@"' sh "$VARVE" --root "$PWD/work/s" doctor --json
    [ "$status" -eq 1 ]
    [ "$(jq -r '[.findings[] | select(.name == "store" and .state == "missing" and .needed)] | length' <<<"$output")" = 1 ]
}

@test "no certificates" {
    SSL_CERT_FILE=/nowhere run --separate-stderr "$VARVE" doctor --json
    [ "$status" -eq 0 ]
    [ "$(state certificates)" = limited ]
    [[ "$(found certificates)" == *"ca-certificates"* ]]
}
