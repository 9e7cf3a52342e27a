#!/usr/bin/env bats
# What varve build promises its user: hits, cuts, explanations, outputs, clear failures.
load helper
bats_require_minimum_version 1.5.0
setup_file() { base_setup; }

three_steps() {
    cat >Dockerfile <<'EOF'
FROM busybox
WORKDIR /app
COPY src ./src
RUN cat src/* >all && date +%s%N >stamp
EOF
    mkdir -p src
    echo one >src/one.txt
    echo two >src/two.txt
}

@test "a second build runs nothing and gives the same image" {
    three_steps
    run build -t demo:1 .
    [ "$status" -eq 0 ]
    [[ "$output" == *"ready in"* ]]
    first=$(build -q -t demo:1 .)
    run build -t demo:1 .
    [ "$status" -eq 0 ]
    [[ "$output" == *"demo:1 is up to date"* ]]
    [ "$(build -q -t demo:1 .)" = "$first" ]
    [[ "$first" == sha256:* ]]
}

@test "touching, rewriting and reverting files is a full hit" {
    three_steps
    build -t demo:1 .
    touch src/*.txt
    run build -t demo:1 .
    [[ "$output" == *"up to date"* ]]
    echo changed >src/one.txt
    run build -t demo:1 .
    [[ "$output" != *"up to date"* ]]
    echo one >src/one.txt
    run build -t demo:1 .
    [[ "$output" == *"demo:1 ready in "*"0 steps ran, "* ]]
}

@test "up to date is what the name stood for already, and nothing else" {
    printf 'FROM busybox\nCMD ["a"]\n' >Dockerfile
    build -t other:1 .
    run build -t neu:1 .
    [[ "$output" == *"neu:1 ready in "*"0 steps ran, 1 cached   "*"next: varve run neu:1"* && "$output" != *"up to date"* ]]
    run build -t neu:1 .
    [[ "$output" == *"neu:1 is up to date (1 step cached"* ]]
    run build -t neu:1 -t third:1 .
    [[ "$output" != *"up to date"* ]]
    printf 'FROM busybox\nCMD ["b"]\nENV A=1\n' >Dockerfile
    run build -t neu:1 .
    [[ "$output" == *"0 steps ran, 1 cached   only its config changed: CMD, ENV   sha256:"* ]]
    run build .
    [[ "$output" == *"ctx ready in "* && "$output" != *"up to date"* ]]
    run build .
    [[ "$output" == *"ctx is up to date"* ]]
}

@test "the explanation names what changed of the config" {
    printf 'FROM busybox\nCMD ["a"]\nENV A=1 B=2 C=3\nLABEL l=1\nEXPOSE 80\nVOLUME /v\nHEALTHCHECK CMD true\n' >Dockerfile
    run build --explain -t neu:1 .
    [[ "$output" != *"conf "* ]]
    printf 'FROM busybox\nCMD ["b"]\nENV A=1 B=3 D=4\nLABEL l=1 m=2\nEXPOSE 81\nUSER 1\nWORKDIR /\nVOLUME /v\nHEALTHCHECK --interval=9s CMD true\n' >Dockerfile
    run build --explain -t neu:1 .
    grep -Ex 'conf CMD +was \["a"\], is \["b"\]' <<<"$output"
    grep -Ex 'conf ENV B +changed' <<<"$output"
    grep -Ex 'conf ENV C +is gone' <<<"$output"
    grep -Ex 'conf ENV D +is new' <<<"$output"
    grep -Ex 'conf LABEL m +is new' <<<"$output"
    grep -Ex 'conf EXPOSE 81/tcp +is new' <<<"$output"
    grep -Ex 'conf USER +was \(none\), is 1' <<<"$output"
    grep -Ex 'conf HEALTHCHECK +its times or retries changed' <<<"$output"
    [[ "$output" != *"ENV A"* && "$output" != *"conf VOLUME"* ]]
}

@test "the explanation names the file that differs" {
    three_steps
    build -t demo:1 .
    echo changed >src/two.txt
    run build --explain -t demo:1 .
    [ "$status" -eq 0 ]
    [[ "$(explained 'COPY src')" == *"1 of 2 files differs: src/two.txt"* ]]
    [[ "$(explained 'RUN cat')" == "run "*"its input COPY src ./src changed"* ]]
    echo three >src/three.txt
    run build --explain -t demo:1 .
    [[ "$(explained 'COPY src')" == *"1 of 3 files is new: src/three.txt"* ]]
}

@test "an instruction that stands twice is told from a heredoc" {
    printf 'FROM busybox\nCOPY in.txt /\nRUN cat /in.txt >>/out\nRUN cat /in.txt >>/out\n' >Dockerfile
    echo one >in.txt
    build -o type=cacheonly .
    echo two >in.txt
    run build --explain -o type=cacheonly .
    [[ "$output" == *"its input RUN cat /in.txt >>/out changed"* && "$output" != *heredoc* ]]
}

@test "a heredoc is told from its instruction" {
    printf 'FROM busybox\nCOPY --link <<one.txt <<two.txt /\none\none.txt\ntwo\ntwo.txt\nRUN <<EOF\necho run\nEOF\n' >Dockerfile
    run build --explain -o type=cacheonly .
    [ "$status" -eq 0 ]
    [[ "$(explained 'COPY --link')" == "run "*"never built here" && "$(explained 'RUN <<EOF')" == "run "*"never built here" ]]
    sed -i 's/^two$/second/; s/^echo run$/echo runs/' Dockerfile
    run build --explain -o type=cacheonly .
    [[ "$(explained 'COPY --link')" == *"the text of its heredoc changed" ]]
    [[ "$(explained 'RUN <<EOF')" == *"the instruction changed" ]]
    sed -i 's/--link/--link --chmod=600/; s/^RUN <<EOF/RUN --network=none <<EOF/' Dockerfile
    run build --explain -o type=cacheonly .
    [[ "$(explained 'COPY --link')" == *"the instruction changed" ]]
}

@test "a step whose inputs come out the same is cut, not run" {
    cat >Dockerfile <<'EOF'
FROM busybox AS gen
COPY in.txt /in.txt
RUN head -c 3 /in.txt >/out.txt
FROM busybox
COPY --from=gen /out.txt /out.txt
RUN cat /out.txt >/copy.txt
EOF
    echo abc-1 >in.txt
    build -t demo:1 .
    echo abc-2 >in.txt
    run build --explain -t demo:1 .
    [ "$status" -eq 0 ]
    [[ "$(explained 'RUN head')" == "run "* ]]
    [[ "$(explained 'COPY --from=gen')" == "cut "* ]]
    [[ "$(explained 'RUN cat')" != "run "* ]]
}

@test "stages nobody needs never run, shared steps run once" {
    cat >Dockerfile <<'EOF'
FROM busybox AS shared
RUN echo shared-step-ran >&2
FROM busybox AS unused
RUN echo unused-step-ran >&2; false
FROM shared AS left
RUN echo l >/l
FROM shared AS right
RUN echo r >/r
FROM busybox
COPY --from=left /l /l
COPY --from=right /r /r
EOF
    run build -t demo:1 .
    [ "$status" -eq 0 ]
    [[ "$output" != *"unused"* ]]
    [ "$(grep -c '│ shared-step-ran' <<<"$output")" -eq 1 ]
}

@test "independent stages run at the same time" {
    # Each waits for a sign of the other: one after the other, the first would wait in vain.
    cat >Dockerfile <<'EOF'
FROM busybox AS a
RUN --mount=type=cache,target=/c touch /c/a; timeout 20 sh -c 'until [ -e /c/b ]; do sleep 0.1; done'
FROM busybox AS b
RUN --mount=type=cache,target=/c touch /c/b; timeout 20 sh -c 'until [ -e /c/a ]; do sleep 0.1; done'
FROM busybox
COPY --from=a /etc/passwd /a
COPY --from=b /etc/passwd /b
EOF
    build -t demo:1 .
}

@test "a failing step shows its lines, the end of its log, its exit code, and keeps what is done" {
    cat >Dockerfile <<'EOF'
FROM busybox
RUN echo fine >/fine
RUN echo going wrong; exit 7
EOF
    run build -t demo:1 .
    [ "$status" -eq 1 ]
    [[ "$output" == *"failed with exit code 7"* ]]
    [[ "$output" == *"Dockerfile:3"* ]]
    [[ "$output" == *"│ going wrong"* ]]
    [[ "$output" == *"kept: "* ]]
    id=$(sed -n 's/.*varve logs \([0-9]*\) --step \([0-9]*\).*/\1 --step \2/p' <<<"$output")
    run varve logs $id
    [[ "$output" == *"going wrong"* ]]
    sed -i 's/exit 7/exit 0/' Dockerfile
    run build --explain -t demo:1 .
    [ "$status" -eq 0 ]
    [[ "$output" == *"RUN echo fine >/fine   cached"* ]]
}

@test "several errors of a Dockerfile are shown together, each with line and caret" {
    printf 'FROM busybox\nCOYP a b\nRUN --mont=type=cache x\nHEALTHCHECK --interval=x CMD true\n' >Dockerfile
    run build .
    [ "$status" -eq 1 ]
    [[ "$output" == *"Dockerfile:2:1: error: unknown instruction COYP; did you mean COPY?"* ]]
    [[ "$output" == *"Dockerfile:3:"* ]]
    [[ "$output" == *"│ ^"* ]]
    [[ "$output" == *"errors; nothing was run."* ]]
}

@test "a stage that does not exist is an error with the name that was meant" {
    printf 'FROM busybox AS build\nFROM busybox\nCOPY --from=biuld /etc/passwd /x\n' >Dockerfile
    run build .
    [ "$status" -ne 0 ]
    [[ "$output" == *"biuld"* ]]
}

@test "secrets are there for the step and nowhere else" {
    cat >Dockerfile <<'EOF'
FROM busybox
RUN --mount=type=secret,id=token cp /run/secrets/token /tmp/x && [ "$(rev /tmp/x)" = 1174-hsifdrows ] && rm /tmp/x
RUN --mount=type=secret,id=token,env=TOKEN [ "$(echo "$TOKEN" | rev)" = 1174-hsifdrows ]
RUN [ ! -e /run/secrets/token ]
EOF
    printf swordfish-4711 >"$BATS_TEST_TMPDIR/secret"
    build --secret id=token,src="$BATS_TEST_TMPDIR/secret" -t demo:1 .
    run build --secret id=token,src="$BATS_TEST_TMPDIR/secret" -o type=oci,dest=../out.tar .
    [ "$status" -eq 0 ]
    run -1 grep -rqa swordfish-4711 "$VARVE_ROOT"
    run -1 grep -qa swordfish-4711 ../out.tar
    printf other >"$BATS_TEST_TMPDIR/secret"
    run build --secret id=token,src="$BATS_TEST_TMPDIR/secret" -t demo:1 .
    [[ "$output" == *"up to date"* ]]
    run build --no-cache -t demo:1 .
    [ "$status" -ne 0 ]
}

@test "a secret may be a pipe: it is read once, for all steps, up to the limit" {
    printf 'FROM busybox\nRUN --mount=type=secret,id=s,target=/s,required=true grep -q hello /s\nRUN --mount=type=secret,id=s,env=S [ "$S" = hello ]\n' >Dockerfile
    build --no-cache --secret id=s,src=<(printf hello) .
    printf hello | build --no-cache --secret id=s,src=/dev/stdin .
    mkfifo "$BATS_TEST_TMPDIR/fifo"
    printf hello >"$BATS_TEST_TMPDIR/fifo" &
    build --no-cache --secret id=s,src="$BATS_TEST_TMPDIR/fifo" .
    run -2 build --secret id=s,src=/dev/zero .
    [[ "$output" == *"--secret id=s: /dev/zero is larger than the limit"* ]]
    run -2 build --secret id=s,src="$BATS_TEST_TMPDIR" .
    [[ "$output" == *"not a regular file"* ]]
}

@test "-f may name a pipe" {
    build -t demo:1 -f <(printf 'FROM scratch\nLABEL from=pipe\n') .
    run -0 "$VARVE" inspect demo:1
    [[ "$output" == *pipe* ]]
    printf 'FROM scratch\nLABEL from=stdin\n' | build -f /dev/stdin .
}

@test "a directory named .dockerignore ignores nothing, and a note says so" {
    mkdir .dockerignore && echo x >file
    printf 'FROM scratch\nCOPY file /\n' >Dockerfile
    run -0 build .
    [[ "$output" == *"note: "*".dockerignore is a directory"* ]]
}

@test "a secret out of a variable that is not set is empty, and a note says so" {
    printf 'FROM busybox\nRUN --mount=type=secret,id=token,required=true test -f /run/secrets/token && test ! -s /run/secrets/token\n' >Dockerfile
    run -0 build --secret id=token,env=VARVE_NO_SUCH_VARIABLE .
    [[ "$output" == *"note: --secret id=token is empty: the environment variable VARVE_NO_SUCH_VARIABLE is not set"* ]]
}

@test "a required secret that is missing is an error that says how to give it" {
    printf 'FROM busybox\nRUN --mount=type=secret,id=token,required=true cat /run/secrets/token\n' >Dockerfile
    run build .
    [ "$status" -ne 0 ]
    [[ "$output" == *"--secret id=token"* ]]
}

@test "cache mounts keep their content between builds and are in no layer" {
    cat >Dockerfile <<'EOF'
FROM busybox
ARG N
RUN --mount=type=cache,target=/cache,id=c echo $N >>/cache/log; cat /cache/log >/seen
RUN [ ! -e /cache/log ]
EOF
    build --build-arg N=1 -t demo:1 .
    build --build-arg N=2 -t demo:1 .
    build --build-arg N=2 -o out .
    [ "$(tr '\n' , <out/seen)" = 1,2, ]
    [ ! -e out/cache/log ]
}

@test "bind mounts show the context without ignored files, and writes to them vanish" {
    cat >Dockerfile <<'EOF'
FROM busybox
RUN --mount=type=bind,target=/src,rw ls /src >/list && echo x >/src/new
RUN --mount=type=bind,source=keep.txt,target=/k cat /k >/kept
EOF
    echo kept >keep.txt
    echo secret >skip.txt
    echo skip.txt >.dockerignore
    build -o out .
    grep -q keep.txt out/list
    run -1 grep -q skip.txt out/list
    [ "$(cat out/kept)" = kept ]
    [ ! -e new ]
}

@test "a step cut over an equal input keeps the layers of its own input" {
    printf 'FROM busybox\nRUN true\nRUN echo a >/a\n' >Dockerfile
    build -t longer:1 .
    printf 'FROM busybox\nRUN echo a >/a\n' >Dockerfile
    run build --explain -t shorter:1 .
    [[ "$output" == *"cut"*"RUN echo a >/a"* ]] || { echo "$output"; return 1; }
    layers() { "$VARVE" inspect "$1" | jq -c '.[0].RootFS.Layers'; }
    longer=$(layers longer:1) shorter=$(layers shorter:1)
    [ "$(jq length <<<"$shorter")" -eq $(($(jq length <<<"$longer") - 1)) ]
    [ "$(jq '.[-1]' <<<"$shorter")" = "$(jq '.[-1]' <<<"$longer")" ]
}

@test "with SOURCE_DATE_EPOCH two stores make the same image" {
    three_steps
    sed -i 's/ && date +%s%N >stamp//' Dockerfile
    export SOURCE_DATE_EPOCH=1700000000
    build -o type=oci,dest=../one.tar .
    sleep 1.1
    touch src/*
    VARVE_ROOT=$BATS_TEST_TMPDIR/other build -o type=oci,dest=../two.tar .
    cmp ../one.tar ../two.tar
}

@test "outputs: directories, tars, OCI layouts and Docker archives" {
    three_steps
    build -o ../local .
    [ "$(cat ../local/app/all)" = "$(printf 'one\ntwo')" ]
    build -o - . >../tree.tar
    tar -tf ../tree.tar | grep -qx app/all
    build -o type=oci,dest=../img.tar -t demo:1 .
    run skopeo inspect oci-archive:../img.tar
    [ "$status" -eq 0 ]
    build -o type=oci,dest=../layout,tar=false .
    run skopeo inspect oci:../layout
    [ "$status" -eq 0 ]
    build -o type=docker,dest=../docker.tar -t demo:1 .
    run skopeo inspect docker-archive:../docker.tar
    [ "$status" -eq 0 ]
    ls .. | grep -q '\.tmp$' && return 1
    true
}

@test "platforms: a directory of its own for each, the machine's as local, no nonsense" {
    printf 'FROM scratch\nARG TARGETPLATFORM\nLABEL p=$TARGETPLATFORM\nCOPY f /\n' >Dockerfile
    echo f >f
    build --platform linux/arm -o type=local,dest=../local,platform-split=true .
    [ "$(cd .. && find local -type f)" = local/linux_arm_v7/f ]
    build --platform local -t mine .
    build -t plain .
    [ "$(image_id mine)" = "$(image_id plain)" ]
    run build --platform nonsense .
    [ "$status" -eq 2 ]
    [[ "$output" == *nonsense* ]]
    run build -o type=oci,dest=x,platform-split=true .
    [ "$status" -eq 2 ]
    [[ "$output" == *platform-split* ]]
}

@test "a layout keeps the images of other tags, and calls one without a name latest" {
    tags() { jq -c '[.manifests[] | .annotations["org.opencontainers.image.ref.name"]]' ../layout/index.json; }
    printf 'FROM scratch\nCOPY f /\n' >Dockerfile
    for tag in 1 2 1; do
        echo "$tag" >>f
        build -o "type=oci,dest=../layout,tar=false,name=a/b:$tag" .
    done
    [ "$(tags)" = '["2","1"]' ]
    build -o type=oci,dest=../layout,tar=false .
    [ "$(tags)" = '["2","1","latest"]' ]
    printf 'FROM base\n' >Dockerfile
    for tag in 1 2 latest; do
        build --build-context "base=oci-layout://$PWD/../layout:$tag" -o ../got .
        [ "$(cat ../got/f)" = "$([ "$tag" = 2 ] && printf '1\n2' || printf '1\n2\n1')" ]
    done
    echo '{}' >../layout/index.json
    printf 'FROM scratch\nCOPY f /\n' >Dockerfile
    build -o type=oci,dest=../layout,tar=false .
    [ "$(tags)" = '["latest"]' ]
}

@test "an export to the same directory mends what is damaged there" {
    three_steps
    build -o type=oci,dest=../layout,tar=false .
    blob=$(find ../layout/blobs -type f -printf '%s %p\n' | sort -rn | head -1 | cut -d' ' -f2)
    printf 'xxxx' | dd of="$blob" bs=1 seek=100 conv=notrunc status=none
    build -o type=oci,dest=../layout,tar=false .
    [ "$(sha256sum <"$blob" | cut -d' ' -f1)" = "$(basename "$blob")" ]
}

@test "a damaged blob goes into no archive" {
    three_steps
    build -o type=oci,dest=../whole.tar .
    blob=$(find "$VARVE_ROOT/blobs/sha256" -type f -printf '%s %p\n' | sort -rn | head -1 | cut -d' ' -f2)
    printf 'xxxx' | dd of="$blob" bs=1 seek=100 conv=notrunc status=none
    run build -o type=oci,dest=../bad.tar .
    [ "$status" -ne 0 ]
    [[ "$output" == *"is damaged"*"varve fsck --repair"* ]]
    [ ! -e ../bad.tar ]
    run build -o type=oci,dest=../bad,tar=false .
    [ "$status" -ne 0 ]
    [[ "$output" == *"is damaged"*"varve fsck --repair"* ]]
    [ -z "$(find ../bad -name "$(basename "$blob")*")" ]
}

@test "an archive is never written to a terminal" {
    three_steps
    run script -qec "$VARVE build -q --build-context busybox=oci-layout://$BASES/busybox-oci -o - ." /dev/null
    [ "$status" -eq 2 ]
    [[ "$output" == *"stdout is a terminal"* ]]
}

@test "metadata and id files" {
    three_steps
    build -t demo:1 --metadata-file ../meta.json --iidfile ../iid .
    id=$(cat ../iid)
    [[ "$id" =~ ^sha256:[0-9a-f]{64}$ ]]
    [ "$(python3 -c 'import json;print(json.load(open("../meta.json"))["containerimage.config.digest"])')" = "$id" ]
    for types in true:application/vnd.oci.image.manifest.v1+json false:application/vnd.docker.distribution.manifest.v2+json; do
        build --metadata-file ../meta.json -o "type=oci,tar=false,dest=../layout,oci-mediatypes=${types%%:*}" .
        [ "$(jq -r '.["containerimage.descriptor"].mediaType' ../meta.json)" = "${types#*:}" ]
    done
}

@test "a build that fails leaves no id of an earlier one" {
    printf 'FROM busybox\nRUN exit 3\n' >Dockerfile
    echo sha256:old >../iid
    run build --iidfile ../iid .
    [ "$status" -ne 0 ]
    [ ! -e ../iid ]
    printf 'FROM busybox\n' >Dockerfile
    ln -s iid ../link
    build --iidfile ../link .
    [ "$(cat ../link)" = "$(build -q .)" ]
}

@test "an archive's file from beyond the year 2262 is from that year, not from the past" {
    touch -d 2300-01-01 late
    tar --format=pax -cf late.tar late
    printf 'FROM scratch\nADD late.tar /\n' >Dockerfile
    build -o ../out .
    [ "$(stat -c %Y ../out/late)" -gt 2147483646 ]
}

@test "options are spelled as Docker's users spell them" {
    printf 'FROM scratch\nLABEL from=file\n' >Dockerfile
    printf 'FROM scratch\nLABEL from=stdin\n' | build -f- -tspelled:1 .
    [ "$("$VARVE" inspect spelled:1 | jq -r '.[0].Config.Labels.from')" = stdin ]
    build -t=spelled:2 -f=Dockerfile --push=false --no-cache=0 .
    [ "$("$VARVE" inspect spelled:2 | jq -r '.[0].Config.Labels.from')" = file ]
    id=$(build -q .)
    [[ "$id" == sha256:* ]]
    [ "$(build -qf Dockerfile .)" = "$id" ]
    [ "$(build -q=true --pull . --load=false)" = "$id" ]
    [[ "$(build -q=false . 2>&1)" == *"is up to date"* ]]
    [ "$(build -q --provenance false --sbom=false --attest type=provenance,disabled=true --network= .)" = "$id" ]
    run build --push=perhaps .
    [ "$status" -eq 2 ]
    [[ "$output" == *"--push=perhaps is neither true nor false"* ]]
    run build -f
    [ "$status" -eq 2 ]
    [[ "$output" == *"missing argument for -f"* ]]
}

@test "options that are not supported are errors, not silence" {
    three_steps
    for flag in --attest=type=sbom --attest=type=sbom,disabled=false --sbom=true --provenance=true; do
        run build $flag .
        [ "$status" -ne 0 ]
        [[ "$output" == *"${flag%%=*}"* ]]
    done
    run varve build --nonsense .
    [ "$status" -eq 2 ]
    run varve build
    [ "$status" -eq 2 ]
    run varve build ./missing-folder
    [ "$status" -eq 2 ]
    [[ "$output" == *"missing-folder"* ]]
}

@test "the build sees nothing of the host" {
    cat >Dockerfile <<'EOF'
FROM busybox
RUN env >/env; ps -o pid,args >/ps; cat /proc/self/mountinfo >/mounts; ls /dev >/dev.txt; ls -l /proc/self/fd >/fds
EOF
    HOST_MARKER=do-not-leak build -o out .
    run -1 grep -q do-not-leak out/env
    [ "$(wc -l <out/ps)" -le 4 ]
    run -1 grep -q "$BATS_TEST_TMPDIR/ctx" out/mounts
    [ "$(wc -l <out/fds)" -le 6 ]
    run -1 grep -qE '^(sd|vd|nvme|mem|kmsg)' out/dev.txt
}

@test "an interrupted build ends within a second and leaves no process and no mount" {
    seconds=$((100000 + RANDOM)) # no other process sleeps as long
    printf 'FROM busybox\nRUN echo started-sleeping; sleep %s\n' $seconds >Dockerfile
    "$VARVE" build --progress=plain --build-context "busybox=oci-layout://$BASES/busybox-oci" -t demo:1 . >log 2>&1 &
    pid=$!
    for _ in $(seq 100); do grep -q '│ started-sleeping' log && break; sleep 0.1; done
    start=$(date +%s%N)
    kill -INT "$pid"
    code=0
    wait "$pid" || code=$?
    took=$((($(date +%s%N) - start) / 1000000))
    [ "$code" -eq 130 ]
    [ "$took" -lt 1000 ]
    run -1 pgrep -f "sleep $seconds"
    run -1 grep -q "$VARVE_ROOT" /proc/mounts
}

@test "the same build at the same time runs each step once" {
    printf 'FROM busybox\nRUN sleep 1; cat /proc/sys/kernel/random/uuid >/u\nRUN sleep 0.5; cp /u /v\n' >Dockerfile
    build -q -t demo:1 . >../a.id &
    one=$!
    build -q -t demo:1 . >../b.id &
    two=$!
    wait $one
    wait $two
    [ "$(cat ../a.id)" = "$(cat ../b.id)" ]
    [ -n "$(cat ../a.id)" ]
    run varve fsck
    [ "$status" -eq 0 ]
}

@test "eight different builds at the same time" {
    pids=()
    for i in 1 2 3 4 5 6 7 8; do
        mkdir -p "../c$i"
        printf 'FROM busybox\nCOPY f /f\nRUN sleep 0.3; cp /f /g%s\n' "$i" >"../c$i/Dockerfile"
        echo "$i" >"../c$i/f"
        build -q -t "many:$i" "../c$i" >/dev/null &
        pids+=($!)
    done
    for p in "${pids[@]}"; do wait "$p"; done
    run varve fsck
    [ "$status" -eq 0 ]
    for i in 1 2 3 4 5 6 7 8; do
        run build -t "many:$i" "../c$i"
        [[ "$output" == *"up to date"* ]]
    done
}

@test "--no-cache runs every step, --no-cache-filter those of a stage" {
    cat >Dockerfile <<'EOF'
FROM busybox AS base
RUN cat /proc/sys/kernel/random/uuid >/one
FROM base
RUN cat /proc/sys/kernel/random/uuid >/two
EOF
    build -o a .
    build -o b .
    cmp a/one b/one
    cmp a/two b/two
    build --no-cache -o c .
    run -1 cmp -s a/one c/one
    build -o d .
    cmp c/one d/one
    build --no-cache-filter base -o e .
    run -1 cmp -s d/one e/one
    run -1 cmp -s d/two e/two
}

@test "--no-cache starts with empty cache mounts, which the steps of that build share" {
    cat >Dockerfile <<'EOF'
FROM busybox AS base
ARG N
RUN --mount=type=cache,target=/c touch /c/a$N && ls /c >/one
FROM base
ARG N
RUN --mount=type=cache,target=/c touch /c/b$N && ls /c | xargs >/two
EOF
    build --build-arg N=1 -o out .
    [ "$(cat out/two)" = "a1 b1" ]
    build --build-arg N=2 -o out .
    [ "$(cat out/two)" = "a1 a2 b1 b2" ]
    build --no-cache --build-arg N=3 -o out .
    [ "$(cat out/one) $(cat out/two)" = "a3 a3 b3" ]
    build --build-arg N=4 -o out .
    [ "$(cat out/two)" = "a3 a4 b3 b4" ]
    build --no-cache-filter base --build-arg N=5 -o out .
    [ "$(cat out/one) $(cat out/two)" = "a5 a5 b5" ]
    run varve fsck
    [ "$status" -eq 0 ]
}

@test "a Containerfile is taken where there is no Dockerfile and none was asked for" {
    printf 'FROM busybox\nLABEL from=container\n' >Containerfile
    build -t named:1 .
    [ "$("$VARVE" inspect named:1 | jq -r '.[0].Config.Labels.from')" = container ]
    run build -f Dockerfile .
    [ "$status" -eq 2 ]
    [[ "$output" == *"there is no Dockerfile at Dockerfile"* ]]
    printf 'FROM busybox\nLABEL from=docker\n' >Dockerfile
    build -t named:2 .
    [ "$("$VARVE" inspect named:2 | jq -r '.[0].Config.Labels.from')" = docker ]
}

@test "annotations and limits that mean nothing are refused" {
    printf 'FROM scratch\n' >Dockerfile
    while IFS='|' read -r flag words; do
        run build "$flag" .
        [ "$status" -ne 0 ] || { echo "$flag: accepted"; return 1; }
        [[ "$output" == *"$words"* ]] || { echo "$flag: $output"; return 1; }
    done <<'END'
--annotation=lonely|must be KEY=VALUE
--annotation==x|must be KEY=VALUE
--annotation=index:a=b|the annotation index:a needs an index, and an image for one platform has none
--annotation=manifest,index-descriptor:a=b|the annotation index-descriptor:a needs an index
--annotation=layer:a=b|there is no kind of annotation "layer"
--annotation=manifest[|must be KEY=VALUE
--annotation=manifest[windows98]:a=b|neither an operating system nor an architecture
--annotation=index[linux/amd64]:a=b|the index is not for one platform
--ulimit=nofile=20:10|the soft limit is above the hard one
--resource=cpus=2|unknown resource "cpus"; known are memory, memory-swap, cpu-shares
--resource=cpu-qouta=1000|did you mean cpu-quota?
--resource=memory-swap=1g|--resource: memory-swap, the sum of memory and swap, needs memory as well
--memory=much|--memory: invalid size "much"
--memory-swap=much|--memory-swap: invalid size "much"
--memory-swap=1g|--memory-swap, the sum of memory and swap, needs memory as well
--cpu-quota=5|--cpu-quota: 5 is not a number from 1000
--cpu-shares=1|--cpu-shares: 1 is not a number from 2
--cpuset-cpus=all|--cpuset-cpus: "all" is not a list
--cpus=many|--cpus: many is not a number of CPUs
--cpus=nan|--cpus: nan is not a number of CPUs
END
    build --annotation manifest:org.example.a=b=c --annotation org.example/x:y=z --annotation 'manifest[linux/amd64]:here=1' \
        --annotation 'manifest,manifest[linux/s390x]:both=2' --annotation 'manifest[linux/s390x]:there=3' --platform linux/amd64 \
        -o type=oci,tar=false,dest=layout .
    manifest=$(jq -r '.manifests[0].digest' layout/index.json)
    [ "$(jq -c .annotations "layout/blobs/sha256/${manifest#sha256:}")" = \
        '{"both":"2","here":"1","org.example.a":"b=c","org.example/x:y":"z"}' ]
}

docker_config() { # docker_config JSON: as Docker's config.json
    export DOCKER_CONFIG=$BATS_TEST_TMPDIR/docker
    mkdir -p "$DOCKER_CONFIG"
    echo "$1" >"$DOCKER_CONFIG/config.json"
}

@test "the proxies of Docker's config.json reach RUN, and neither keys nor history" {
    docker_config '{"proxies": {"default": {"httpProxy": "http://proxy.example:3128", "noProxy": "a.example", "ftpProxy": ""},
        "tcp://other:2375": {"allProxy": "socks5://other.example"}}}'
    printf 'FROM busybox\nRUN env | grep -i prox | sort >/env; true\n' >Dockerfile
    build -t p:1 -o type=image -o out .
    [ "$(cat out/env)" = $'HTTP_PROXY=http://proxy.example:3128\nNO_PROXY=a.example\nhttp_proxy=http://proxy.example:3128\nno_proxy=a.example' ]
    run varve history --no-trunc p:1
    [[ "$output" != *proxy.example* ]]
    run varve inspect p:1
    [[ "$output" != *proxy.example* ]]
    docker_config '{"proxies": {"default": {"httpProxy": "http://another.example"}}}'
    run -0 build -t p:1 .
    [[ "$output" == *"up to date"* ]]
    # A step that runs anew has those of the engine that is named, and the command line wins in either spelling.
    docker_config '{"proxies": {"default": {"httpProxy": "http://a.example"}, "tcp://other:2375": {"allProxy": "socks5://other.example"}}}'
    DOCKER_HOST=tcp://other:2375 build --no-cache -o out .
    [ "$(cat out/env)" = $'ALL_PROXY=socks5://other.example\nall_proxy=socks5://other.example' ]
    build --no-cache --build-arg http_proxy=http://given.example -o out .
    [ "$(cat out/env)" = $'HTTP_PROXY=http://given.example\nhttp_proxy=http://given.example' ]
    docker_config '{"proxies": '
    run -0 build .
    [[ "$output" == *"note: the proxies in Docker's configuration are not used"*config.json* ]]
}

@test "surroundings: .containerignore, DOCKER_DEFAULT_PLATFORM, --builder, caches of GitHub" {
    printf 'FROM scratch\nCOPY . /\n' >Dockerfile
    touch a b
    echo a >.containerignore
    build -o out .
    [ ! -e out/a ]
    [ -e out/b ]
    rm -r out
    echo b >.dockerignore # Docker's name wins
    build -o out .
    [ -e out/a ]
    [ ! -e out/b ]
    rm -r out .dockerignore .containerignore
    DOCKER_DEFAULT_PLATFORM=linux/arm64 build -t p:1 .
    [ "$(varve inspect p:1 | jq -r '.[0].Architecture')" = arm64 ]
    DOCKER_DEFAULT_PLATFORM=linux/arm64 build --platform linux/amd64 -t p:2 .
    [ "$(varve inspect p:2 | jq -r '.[0].Architecture')" = amd64 ]
    DOCKER_DEFAULT_PLATFORM=/ run -2 build .
    [[ "$output" == *"DOCKER_DEFAULT_PLATFORM: "* ]]
    run -0 build --builder x --cache-from type=gha --cache-to type=gha .
    [[ "$output" == *"note: "*--builder* && "$output" == *"note: --cache-from type=gha has no effect outside of GitHub Actions"* ]]
    run -2 build --cache-from 'no such=thing' .
    [[ "$output" == *"next: "* ]]
}

@test "a step has one number: that of the output, of the logs and of the history" {
    printf 'FROM busybox\nCOPY f /\nRUN echo first >&2\nRUN echo second; exit 4\n' >Dockerfile
    touch f
    run build .
    [ "$status" -eq 1 ]
    grep -q '^\[4/4\] RUN echo second' <<<"$output"
    grep -q 'varve logs 1 --step 4)' <<<"$output"
    [ "$(varve logs 1 --step 4)" = second ]
    [ "$(varve logs 1 --step 3)" = first ]
    [ "$(varve history 1 --format json | jq -c .Step | tr '\n' ' ')" = "1 2 3 4 " ]
}

@test "--parallel limits the steps that run at the same time" {
    cat >Dockerfile <<'END'
FROM busybox AS a
RUN --mount=type=cache,target=/c test ! -e /c/busy && touch /c/busy && sleep 0.5 && rm /c/busy && touch /a
FROM busybox AS b
RUN --mount=type=cache,target=/c test ! -e /c/busy && touch /c/busy && sleep 0.5 && rm /c/busy && touch /b
FROM scratch
COPY --from=a /a /
COPY --from=b /b /
END
    build --parallel 1 -o out .
    run build --no-cache --parallel 2 -o out .
    [ "$status" -ne 0 ]
    for n in 0 -1 1001 two ""; do
        run varve build --parallel "$n" .
        [ "$status" -eq 2 ]
        [[ "$output" == *"--parallel $n: must be a number from 1 to 1000"*"next:"* ]]
    done
}
