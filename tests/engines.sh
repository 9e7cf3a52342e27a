#!/bin/bash
# varve in containers of a real Docker engine, by hand: tests/engines.sh VARVE IMAGE [DOCKER_HOST]
# IMAGE, which the engine has: varve's own (make image). Builds one Dockerfile with each set of options, user and place of the
# store; prints what happened, the warnings, and the digest, which is the same everywhere. An engine in a chroot refuses user
# namespaces to its containers: start it in a mount namespace whose root is that folder (pivot_root).
set -u
varve=$(realpath "$1") image=$2
export DOCKER_HOST=${3:-${DOCKER_HOST:-unix:///var/run/docker.sock}}
here=$(cd "$(dirname "$0")" && pwd)
bases=${VARVE_TESTBED:-$HOME/.cache/varve-testbed}
"$here/testbed/busybox-base.sh" "$bases" >/dev/null 2>&1
work=$(mktemp -d)
trap 'docker volume rm -f varve-engines >/dev/null 2>&1; rm -rf "$work"' EXIT
mkdir "$work/app"
cp -r "$bases/busybox-oci" "$work/busybox-oci"
cat >"$work/app/Dockerfile" <<'END'
FROM busybox
RUN mkdir -p /d/a && echo 1 >/d/a/1 && echo 2 >/d/2 && ln /d/2 /d/h && chown 33:33 /d/2
RUN rm -r /home /d/a && mkdir /d/a && echo new >/d/a/n && rm /d/h && chmod 700 /d
END
chmod -R a+rX "$work"
epoch=1700000000
flags=(--build-arg "SOURCE_DATE_EPOCH=$epoch" -o type=image,name=x,rewrite-timestamp=true)
here_digest=$("$varve" --root "$work/store" build -q --build-context "busybox=oci-layout://$work/busybox-oci" "${flags[@]}" "$work/app")
echo "here: $here_digest"

try() { # USER STORE OPTION…
    local user=$1 store=$2 out
    shift 2
    local place=()
    case $store in volume) place=(-v /var/lib/varve) ;; memory) place=(--tmpfs /t:exec,mode=1777 -e VARVE_ROOT=/t/store) ;; own) place=(-e VARVE_ROOT=/tmp/store) ;; esac
    # The context goes in over standard input: the engine may not see this folder.
    out=$(tar -C "$work" -c app busybox-oci | docker run --rm -i --network=host -u "$user" "${place[@]}" "$@" --entrypoint sh "$image" -c \
        "mkdir /tmp/w && tar -C /tmp/w -x && exec varve build -q --build-context busybox=oci-layout:///tmp/w/busybox-oci ${flags[*]} /tmp/w/app" 2>&1)
    printf '\nuser %s, store %s, %s: ' "$user" "$store" "${*:-no options}"
    if grep -q "^$here_digest\$" <<<"$out"; then echo "the same digest"; else echo "no: $(tail -1 <<<"$out")"; fi
    grep -E '^(error|warning|note):' <<<"$out" | cut -c1-200
}
seccomp='--security-opt seccomp=unconfined --security-opt apparmor=unconfined' masks='--security-opt systempaths=unconfined'
# shellcheck disable=SC2086 # lists of options
for user in 0 1000; do
    try $user volume
    try $user volume $seccomp
    try $user volume $seccomp $masks
    try $user volume $seccomp $masks --device /dev/net/tun
    try $user memory $seccomp $masks
    try $user own $seccomp $masks
    try $user volume --cap-add SYS_ADMIN
    try $user volume --privileged
done
