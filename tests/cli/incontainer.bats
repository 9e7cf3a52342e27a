#!/usr/bin/env bats
# varve in a container as Docker makes them, without Docker: runc with its default capabilities, masked paths and what
# its default filter refuses to those without CAP_SYS_ADMIN. tests/engines.sh tries the same with real engines.
load helper
bats_require_minimum_version 1.5.0

setup_file() {
    [ "$(id -u)" -eq 0 ] || skip "needs root"
    command -v runc >/dev/null || skip "needs runc"
    base_setup
    cd "$BATS_FILE_TMPDIR" || return 1
    mkdir -p etc empty
    for d in usr bin sbin lib lib64; do [ ! -e /$d ] || echo "/$d"; done >system
    cp -r /etc/ssl /etc/ca-certificates* /etc/ld.so.* /etc/alternatives etc/ 2>/dev/null || true
    printf 'root:x:0:0::/root:/bin/sh\nbuild:x:1000:1000::/tmp:/bin/sh\nsingle:x:1001:1001::/tmp:/bin/sh\n' >etc/passwd
    printf 'root:x:0:\nbuild:x:1000:\nsingle:x:1001:\n' >etc/group
    printf 'build:1:999\nbuild:1001:64535\n' | tee etc/subuid >etc/subgid
    echo container >etc/hostname
    cp "$VARVE" varve
    cp "$(command -v newuidmap)" "$(command -v newgidmap)" . && chmod 755 newuidmap newgidmap
    setcap cap_setuid=ep newuidmap 2>/dev/null && setcap cap_setgid=ep newgidmap 2>/dev/null || touch no-setcap
    (bundle 0) && runc run --bundle "$BATS_FILE_TMPDIR/bundle" "varve-try-$$" </dev/null >out 2>&1 || skip "runc does not work here: $(tail -1 out)"
}

DOCKER_CAPS='["CAP_CHOWN","CAP_DAC_OVERRIDE","CAP_FSETID","CAP_FOWNER","CAP_MKNOD","CAP_NET_RAW","CAP_SETGID","CAP_SETUID","CAP_SETFCAP","CAP_SETPCAP","CAP_NET_BIND_SERVICE","CAP_SYS_CHROOT","CAP_KILL","CAP_AUDIT_WRITE"]'
# What Docker's filter refuses without CAP_SYS_ADMIN (moby's profiles/seccomp/default.json has what it allows).
REFUSED='["unshare","mount","umount2","setns","pivot_root","fsopen","fsconfig","fsmount","fspick","move_mount","open_tree","mount_setattr","quotactl","bpf","perf_event_open"]'

# bundle USER [seccomp=unconfined] [systempaths=unconfined] [tun] [overlay]: a bundle of runc for ARGS (lines of the file args)
bundle() {
    local user=$1 d jq_mounts
    shift
    local options=" $* "
    rm -rf "$BATS_FILE_TMPDIR/bundle"
    mkdir -p "$BATS_FILE_TMPDIR/bundle/rootfs"
    cd "$BATS_FILE_TMPDIR/bundle" || return 1
    runc spec
    mkdir -p rootfs/{usr,bin,sbin,lib,lib64,etc,tmp,root,store,ctx,i,bases,dev,proc,sys,run,var/tmp}
    touch rootfs/.dockerenv
    chmod 1777 rootfs/tmp rootfs/store
    jq_mounts=$(while read -r d; do echo "{\"destination\":\"$d\",\"type\":\"bind\",\"source\":\"$d\",\"options\":[\"rbind\",\"ro\"]},"; done <"$BATS_FILE_TMPDIR/system")
    jq_mounts+="{\"destination\":\"/etc\",\"type\":\"bind\",\"source\":\"$BATS_FILE_TMPDIR/etc\",\"options\":[\"rbind\"]},"
    jq_mounts+="{\"destination\":\"/etc/hostname\",\"type\":\"bind\",\"source\":\"$BATS_FILE_TMPDIR/etc/hostname\",\"options\":[\"rbind\"]},"
    jq_mounts+="{\"destination\":\"/i\",\"type\":\"bind\",\"source\":\"$BATS_FILE_TMPDIR\",\"options\":[\"bind\",\"ro\"]},"
    jq_mounts+="{\"destination\":\"/bases\",\"type\":\"bind\",\"source\":\"$BASES\",\"options\":[\"rbind\",\"ro\"]}"
    if [[ $options == *" overlay "* ]]; then
        mkdir -p "$BATS_TEST_TMPDIR/upper" "$BATS_TEST_TMPDIR/work" && chmod 1777 "$BATS_TEST_TMPDIR/upper"
        jq_mounts+=",{\"destination\":\"/store\",\"type\":\"overlay\",\"source\":\"overlay\",\"options\":[\"lowerdir=$BATS_FILE_TMPDIR/empty\",\"upperdir=$BATS_TEST_TMPDIR/upper\",\"workdir=$BATS_TEST_TMPDIR/work\"]}"
    elif [ -n "${BATS_TEST_TMPDIR:-}" ]; then
        mkdir -p "$BATS_TEST_TMPDIR/volume" "$BATS_TEST_TMPDIR/ctx"
        chmod 1777 "$BATS_TEST_TMPDIR/volume"
        jq_mounts+=",{\"destination\":\"/store\",\"type\":\"bind\",\"source\":\"$BATS_TEST_TMPDIR/volume\",\"options\":[\"rbind\"]}"
    fi
    [ -z "${BATS_TEST_TMPDIR:-}" ] || jq_mounts+=",{\"destination\":\"/ctx\",\"type\":\"bind\",\"source\":\"$BATS_TEST_TMPDIR/ctx\",\"options\":[\"rbind\",\"ro\"]}"
    local args='["/bin/true"]'
    [ ! -e "$BATS_FILE_TMPDIR/args" ] || args=$(jq -R . <"$BATS_FILE_TMPDIR/args" | jq -s .)
    jq --argjson args "$args" --argjson caps "$DOCKER_CAPS" --argjson refused "$REFUSED" --argjson more "[$jq_mounts]" \
        --argjson user "$user" --arg options "$options" '
        .process.terminal = false | .root.readonly = false | .process.noNewPrivileges = false
        | .process.args = $args | .process.user = {uid: $user, gid: $user}
        | .process.env = ["PATH=/i:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp", "VARVE_ROOT=/store/s", "NO_COLOR=1", "LC_ALL=C.UTF-8", "SOURCE_DATE_EPOCH=1700000000"]
        | .process.capabilities = (if $user == 0 then {bounding: $caps, effective: $caps, permitted: $caps} else {bounding: $caps} end)
        | .mounts += $more
        | .linux.namespaces = [{type: "pid"}, {type: "ipc"}, {type: "uts"}, {type: "mount"}]
        | (if $options | contains(" systempaths=unconfined ") then .linux.maskedPaths = [] | .linux.readonlyPaths = []
             | .mounts |= map(select(.destination == "/sys" or .destination == "/sys/fs/cgroup" | not)) + [{destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"]}]
           else .mounts |= map(select(.destination == "/sys" or .destination == "/sys/fs/cgroup" | not)) + [{destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"]}] end)
        | (if $options | contains(" seccomp=unconfined ") then del(.linux.seccomp) else
             .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"], syscalls: [
               {names: $refused, action: "SCMP_ACT_ERRNO", errnoRet: 1},
               {names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: 38},
               {names: ["clone"], action: "SCMP_ACT_ERRNO", errnoRet: 1, args: [{index: 0, value: 268435456, valueTwo: 268435456, op: "SCMP_CMP_MASKED_EQ"}]}]} end)
        | (if $options | contains(" tun ") then .linux.devices = [{path: "/dev/net/tun", type: "c", major: 10, minor: 200, fileMode: 438, uid: 0, gid: 0}]
             | .linux.resources.devices += [{allow: true, type: "c", major: 10, minor: 200, access: "rwm"}] else . end)
        ' config.json >config.new && mv config.new config.json
}

# inside USER OPTION… -- COMMAND…: runs COMMAND in such a container
inside() {
    local options=()
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
    printf '%s\n' "$@" >"$BATS_FILE_TMPDIR/args"
    (bundle "${options[@]}" && cd / && exec runc run --bundle "$BATS_FILE_TMPDIR/bundle" "varve-$$-$RANDOM" </dev/null)
}
inside_build() { # USER OPTION… -- ARG…: varve build of the context
    local options=()
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
    inside "${options[@]}" -- /i/varve build --progress=plain --build-context busybox=oci-layout:///bases/busybox-oci "$@" /ctx
}

@test "a container without options: the first line says which one is needed" {
    printf 'FROM busybox\nRUN true\n' >Dockerfile
    for user in 0 1000; do
        run inside_build $user --
        echo "$output"
        [ "$status" -ne 0 ]
        [[ "${lines[0]}" == "error: this container may not make user namespaces"*"--security-opt seccomp=unconfined --security-opt apparmor=unconfined gives it" ]]
    done
    run inside 0 -- /i/varve doctor
    [ "$status" -eq 1 ]
    [[ "$output" == *"inside docker"* ]]
}

@test "root of a container has all ids there, below a masked /proc" {
    cat >Dockerfile <<'END'
FROM busybox
RUN chown 33:44 /bin/busybox && test "$(stat -c %u:%g /bin/busybox)" = 33:44
USER www-data
RUN test "$(id -u)" = 33
END
    run inside_build 0 seccomp=unconfined --
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" == *"warning: programs have the /proc and /sys of this container"*"(docker run --security-opt systempaths=unconfined)"* ]]
    run inside_build 0 seccomp=unconfined systempaths=unconfined --
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" != *"programs have the /proc"* ]]
}

@test "what a step sees of a shared /proc: names, but no memory, files or environment, and nothing to write" {
    cat >Dockerfile <<'END'
FROM busybox
USER root
RUN <<EOF
set -u
others=0
for p in /proc/[0-9]*; do
    [ "$(readlink $p/ns/mnt)" = "$(readlink /proc/self/ns/mnt)" ] && continue # its own
    case $(cat $p/cmdline | tr '\0' ' ') in *varve*|*runc*) ;; *) continue ;; esac
    others=$((others + 1))
    for f in environ mem; do if (: <$p/$f) 2>/dev/null; then echo "LEAK $p/$f"; exit 1; fi; done
    if ls $p/root/ >/dev/null 2>&1 || ls $p/cwd/ >/dev/null 2>&1 || readlink $p/fd/0 >/dev/null 2>&1; then echo "LEAK $p"; exit 1; fi
done
[ $others -gt 0 ] || exit 3
[ "$(wc -c </proc/kcore)" = 0 ] || [ ! -r /proc/kcore ] || exit 4
if echo 1 >/proc/sys/kernel/printk; then exit 5; fi
if echo h >/proc/sysrq-trigger; then exit 6; fi
if echo 1 >/sys/kernel/mm/ksm/run; then exit 7; fi
echo harmless
EOF
END
    for user in 0 1000; do
        rm -rf "$BATS_TEST_TMPDIR/volume"
        run inside_build $user seccomp=unconfined -- --no-cache
        echo "$output"
        [ "$status" -eq 0 ]
        [[ "$output" == *"harmless"* ]]
    done
}

@test "steps that share a /proc run one at a time" {
    cat >Dockerfile <<'END'
FROM busybox AS a
RUN --mount=type=cache,target=/c,id=x echo begin >>/c/log; sleep 0.4; echo end >>/c/log
FROM busybox AS b
RUN --mount=type=cache,target=/c,id=x echo begin >>/c/log; sleep 0.4; echo end >>/c/log; true
FROM busybox
COPY --from=a /bin/sh /a
COPY --from=b /bin/sh /b
RUN --mount=type=cache,target=/c,id=x cat /c/log | tr '\n' ' '
END
    run inside_build 0 seccomp=unconfined --
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" == *"begin end begin end"* ]]
}

@test "uid 1000 with subordinate ids, and newuidmap with its capability in the file" {
    [ ! -e "$BATS_FILE_TMPDIR/no-setcap" ] || skip "no file capabilities here"
    printf 'FROM busybox\nRUN chown 33:44 /bin/busybox && test "$(stat -c %%u:%%g /bin/busybox)" = 33:44\n' >Dockerfile
    run inside_build 1000 seccomp=unconfined systempaths=unconfined --
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" != *"every file belongs to one user"* ]]
}

@test "a newuidmap that the container refuses, and a user without ids: one id, and why" {
    printf 'FROM busybox\nRUN echo x >/x\nRUN chown 33:44 /x\n' >Dockerfile
    # setuid, as distributions install it: its root has no CAP_SYS_ADMIN
    mkdir -p "$BATS_FILE_TMPDIR/setuid" && cp "$(command -v newuidmap)" "$(command -v newgidmap)" "$BATS_FILE_TMPDIR/setuid" && chmod 4755 "$BATS_FILE_TMPDIR"/setuid/*
    run inside 1000 seccomp=unconfined systempaths=unconfined -- env PATH=/i/setuid:/usr/bin:/bin /i/varve build --build-context busybox=oci-layout:///bases/busybox-oci /ctx
    echo "$output"
    [ "$status" -ne 0 ]
    [[ "$output" == *"note: newuidmap refused: newuidmap: write to uid_map failed"*"setcap cap_setuid=ep /usr/bin/newuidmap"* ]]
    rm -rf "$BATS_TEST_TMPDIR/volume"
    run inside_build 1001 seccomp=unconfined systempaths=unconfined --
    echo "$output"
    [ "$status" -ne 0 ]
    [[ "$output" == *"chown: /x: Invalid argument"* ]]
    [[ "$output" == *"note: single has no range in /etc/subuid and /etc/subgid"* ]]
    printf 'FROM busybox\nRUN echo x >/x\n' >Dockerfile
    run inside_build 1001 seccomp=unconfined systempaths=unconfined --
    [ "$status" -eq 0 ]
}

@test "a store on the container's own overlayfs" {
    printf 'FROM busybox\nRUN rm -r /home && mkdir /new && echo 1 >/new/1\nRUN test ! -e /home && cat /new/1\n' >Dockerfile
    run inside_build 0 seccomp=unconfined systempaths=unconfined overlay --
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" == *"warning: layers are copied"*"docker run -v varve:/var/lib/varve"* ]]
}

@test "/dev/net/tun gives steps a network of their own" {
    command -v pasta >/dev/null || skip "no pasta here"
    [ -c /dev/net/tun ] || skip "no /dev/net/tun here"
    printf 'FROM busybox\nRUN wget -q -O- http://127.0.0.1:1/ 2>&1 | grep -q refused; ls /sys/class/net\n' >Dockerfile
    run inside_build 0 seccomp=unconfined systempaths=unconfined --
    [ "$status" -eq 0 ]
    [[ "$output" == *"note: pasta needs /dev/net/tun"*"docker run --device /dev/net/tun"* ]]
    run inside_build 0 seccomp=unconfined systempaths=unconfined tun -- --no-cache
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" != *"pasta needs"* ]]
}
