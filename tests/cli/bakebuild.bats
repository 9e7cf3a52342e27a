#!/usr/bin/env bats
# varve bake builds: all targets in one run, what they share once, each with its own end.
bats_require_minimum_version 1.5.0
load helper
setup_file() {
    seed_setup
    HOST=$("$TESTBED/registry.sh" start "$BATS_FILE_TMPDIR/open")
    export HOST
}
teardown_file() {
    "$TESTBED/registry.sh" stop "$BATS_FILE_TMPDIR/open"
}

# bake ARGS…: the busybox base for all targets, a plain log.
bake() {
    "$VARVE" bake --progress=plain --allow "fs=*" --set "*.contexts.busybox=oci-layout://$BASES/busybox-oci" "$@"
}

# The target's row of the report: row NAME < output
row() {
    grep -E "^$1  " <<<"$output" | tail -1
}

file_of() {
    "$VARVE" run --rm "$1" cat "$2"
}

base_and_users() {
    cat >docker-bake.hcl <<'END'
target "base" {
  dockerfile-inline = <<E
FROM busybox
RUN echo made once >/base
ENV FROM_BASE=yes
E
}
END
    for i in "$@"; do
        cat >>docker-bake.hcl <<END
target "t$i" {
  contexts = { base = "target:base" }
  tags = ["app:$i"]
  dockerfile-inline = <<E
FROM base
RUN echo \$FROM_BASE $i >/own
E
}
END
    done
    printf 'group "default" { targets = [%s] }\n' "$(printf '"t%s",' "$@")" >>docker-bake.hcl
}

@test "a base that ten targets share is run once" {
    base_and_users 0 1 2 3 4 5 6 7 8 9
    run bake
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$(grep -c 'RUN echo made once >/base$' <<<"$output")" = 1 ]
    [[ "$output" == *"11 of 11 targets ready in "*"   12 steps ran, 0 cached"* ]]
    [ "$(file_of app:7 /own)" = "yes 7" ]
    [ "$(file_of app:3 /base)" = "made once" ]
    run bake
    [[ "$output" == *"all 11 targets are up to date (12 steps cached, "* ]]
    run bake t1 t2
    [[ "$output" == *"all 3 targets are up to date"* ]]
}

@test "stages of one Dockerfile that several targets name are run once, with one context" {
    cat >Dockerfile <<'END'
FROM busybox AS deps
COPY list /list
RUN echo deps >/deps
FROM deps AS dev
RUN echo dev >/own
FROM deps AS prod
RUN echo prod >/own
END
    echo 1 >list
    cat >docker-bake.json <<'END'
{"group": {"default": {"targets": ["dev", "prod"]}},
 "target": {"dev": {"target": "dev", "tags": ["app:dev"]}, "prod": {"target": "prod", "tags": ["app:prod"]}}}
END
    run bake
    [ "$status" -eq 0 ]
    [ "$(grep -c 'dev, prod: deps\] RUN echo deps >/deps$' <<<"$output")" = 1 ]
    [[ "$output" == *"2 of 2 targets ready"*"5 steps ran, 0 cached"* ]]
    [[ "$(row dev)" == *"ready"*"4 ran, 0 cached"*"sha256:"* ]]
    [ "$(file_of app:dev /own)$(file_of app:prod /own)" = devprod ]
}

@test "contexts of targets are kept apart, and ignore files" {
    mkdir a b
    echo of-a >a/f
    echo of-b >b/f
    touch b/secret
    echo secret >b/.dockerignore
    cp b/secret a/
    for d in a b; do printf 'FROM busybox\nCOPY . /in\n' >$d/Dockerfile; done
    cat >docker-bake.hcl <<'END'
group "default" { targets = ["a", "b", "c"] }
target "a" {
  context = "a"
  tags = ["x:a"]
}
target "b" {
  context = "./b/"
  tags = ["x:b"]
}
target "c" {
  context = "a"
  contexts = { extra = "b" }
  dockerfile-inline = "FROM busybox\nCOPY --from=extra f /f\nCOPY f /g\n"
  tags = ["x:c"]
}
END
    run bake
    [ "$status" -eq 0 ]
    [ "$(file_of x:a /in/f)" = of-a ]
    [ "$(file_of x:b /in/f)" = of-b ]
    [ "$(file_of x:c /f)$(file_of x:c /g)" = of-bof-a ]
    "$VARVE" run --rm x:a test -e /in/secret
    run "$VARVE" run --rm x:b test -e /in/secret
    [ "$status" -eq 1 ]
}

@test "a target that fails ends itself and what needs it, and the others are made" {
    base_and_users 1 2
    cat >>docker-bake.hcl <<'END'
target "bad" {
  contexts = { base = "target:base" }
  dockerfile-inline = "FROM base\nRUN echo oh no; exit 7\n"
}
target "after" {
  contexts = { b = "target:bad" }
  dockerfile-inline = "FROM b\nRUN true\n"
  tags = ["app:after"]
}
target "typo" {
  dockerfile-inline = "FROM busybox\nRUNN true\n"
}
END
    run bake t1 t2 after typo
    echo "$output"
    [ "$status" -eq 1 ]
    [[ "$(row t1)" == *"ready"* ]]
    [[ "$(row bad)" == *"FAILED"* ]]
    [[ "$(row after)" == *"FAILED"* ]]
    [[ "$(row typo)" == *"FAILED"* ]]
    [[ "$output" == *"3 of 6 targets ready"* ]]
    [[ "$output" == *"bad failed:"*"exit code 7"*"oh no"* ]]
    [[ "$output" == *"after failed:"*"bad, which it needs, failed"* ]]
    [[ "$output" == *"typo failed:"*"RUNN"* ]]
    [ "$(file_of app:2 /own)" = "yes 2" ]
    run "$VARVE" images app:after
    [[ "$output" != *sha256* ]]
}

@test "--fail-fast stops the others, and nothing is named or written" {
    cat >docker-bake.hcl <<'END'
group "default" { targets = ["slow", "bad"] }
target "bad" {
  dockerfile-inline = "FROM busybox\nRUN exit 7\n"
}
target "slow" {
  dockerfile-inline = "FROM busybox\nRUN sleep 30\n"
  tags = ["app:slow"]
}
target "quick" {
  dockerfile-inline = "FROM busybox\n"
  tags = ["app:quick"]
  output = ["type=image", "type=tar,dest=quick.tar"]
}
END
    SECONDS=0
    run bake --fail-fast
    [ "$status" -eq 1 ]
    [ "$SECONDS" -lt 20 ]
    [[ "$(row slow)" == *"stopped"* ]]
    run bake --fail-fast bad quick
    [ "$status" -eq 1 ]
    [ ! -e quick.tar ]
    run bake bad quick
    [ "$status" -eq 1 ]
    [ -e quick.tar ]
}

@test "each target gets its own secrets, arguments, labels and ulimits" {
    cat >docker-bake.hcl <<'END'
target "m" {
  name = "m-${v}"
  matrix = { v = ["one", "two"] }
  args = { V = v }
  labels = { who = v }
  secret = ["id=key,env=KEY_${v}"]
  ulimits = ["nofile=${v == "one" ? 101 : 102}"]
  extra-hosts = { there = v == "one" ? "10.0.0.1" : "10.0.0.2" }
  tags = ["m:${v}"]
  dockerfile-inline = <<E
FROM busybox
ARG V
RUN --mount=type=secret,id=key cat /run/secrets/key >/key; echo $V >/v; ulimit -n >/n; grep there /etc/hosts >/h
E
}
END
    KEY_one=first KEY_two=second run bake m
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$(file_of m:one /key) $(file_of m:one /v) $(file_of m:one /n)" = "first one 101" ]
    [ "$(file_of m:two /key) $(file_of m:two /v) $(file_of m:two /n)" = "second two 102" ]
    [[ "$(file_of m:two /h)" == 10.0.0.2* ]]
    [ "$("$VARVE" inspect -f '{{.Config.Labels.who}}' m:two)" = two ]
}

@test "a linked target gives its config and triggers, and serves COPY --from" {
    cat >docker-bake.hcl <<'END'
target "tools" {
  dockerfile-inline = "FROM busybox\nENV TOOL=hammer\nWORKDIR /w\nONBUILD RUN echo $TOOL >/triggered\nRUN echo t >/w/t\n"
}
target "default" {
  contexts = { "example.org/tools:1" = "target:tools" }
  dockerfile-inline = "FROM example.org/tools:1 AS a\nFROM busybox\nCOPY --from=a /triggered /\nCOPY --from=example.org/tools:1 /w/t /\n"
  tags = ["app"]
}
END
    run bake
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$(file_of app /triggered)$(file_of app /t)" = hammert ]
}

@test "platforms: linked targets match, or the error lists what there is" {
    cat >docker-bake.hcl <<'END'
target "base" {
  platforms = ["linux/amd64", "linux/arm64"]
  dockerfile-inline = "FROM scratch\nARG TARGETARCH\nLABEL base=$TARGETARCH\nCOPY docker-bake.hcl /\n"
}
target "app" {
  contexts = { base = "target:base" }
  platforms = ["linux/amd64", "linux/arm64"]
  dockerfile-inline = "FROM base\nARG TARGETARCH\nLABEL app=$TARGETARCH\n"
  tags = ["app"]
  output = ["type=oci,dest=app.tar"]
}
target "other" {
  contexts = { base = "target:base" }
  platforms = ["linux/s390x"]
  dockerfile-inline = "FROM base\n"
}
END
    run bake app
    echo "$output"
    [ "$status" -eq 0 ]
    mkdir x && tar -xf app.tar -C x
    for arch in amd64 arm64; do
        grep -rlq "\"base\":\"$arch\"" x/blobs && grep -rlq "\"app\":\"$arch\"" x/blobs
    done
    run bake other
    [ "$status" -ne 0 ]
    [[ "$output" == *"the target base has no result for linux/s390x"*"linux/amd64, linux/arm64"* ]]
}

@test "pushes, files and --metadata-file of several targets" {
    base_and_users 1 2
    run bake --set "t1.tags=$HOST/lib/one:1" --set "t2.tags=$HOST/lib/two:1" --push --metadata-file meta.json
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" == *"pushed $HOST/lib/one:1"* ]]
    digest=$(jq -r '.t2."containerimage.digest"' meta.json)
    [ "$(skopeo inspect --tls-verify=false -f '{{.Digest}}' "docker://$HOST/lib/two:1")" = "$digest" ]
    [ "$(jq -r '.t1."image.name"' meta.json)" = "$HOST/lib/one:1" ]
    run bake --set 't1.output=type=tar,dest=x.tar' --set 't2.output=type=tar,dest=./x.tar'
    [ "$status" -eq 2 ]
    [[ "$output" == *"t1 and t2 both write"*"x.tar"* ]]
    run bake --set '*.tags=same:1' t1 t2
    [[ "$output" == *"warning: "*" have the same name, docker.io/library/same:1"* ]]
    run bake --set 't1.output=type=local,dest=out' --set 't2.output=type=local,dest=out' t1 t2
    [ "$status" -eq 0 ]
    [ -e out/own ]
}

@test "caches: each target writes its own, and all that are named are read" {
    base_and_users 1 2
    run bake --set "t1.cache-to=type=registry,ref=$HOST/c:one,mode=max" --set "t2.cache-to=type=local,dest=cache,mode=max"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$("$VARVE" cache ls "type=local,src=cache" | grep -c 'RUN echo')" = 2 ]
    rm -rf "$VARVE_ROOT"
    run bake --set "*.cache-from=type=registry,ref=$HOST/c:one" t1 t2
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$(row t1)" == *"ready"*"3 cached"* ]]
    [[ "$(row t2)" == *"1 ran, 2 cached"* ]]
}

@test "history has each target, with the logs of the steps that they share" {
    base_and_users 1 2
    bake
    run "$VARVE" history
    [[ "$output" == *" app:1 "* && "$output" == *" app:2 "* ]]
    sed -i 's/echo made once/echo a log; false/' docker-bake.hcl
    run bake
    [ "$status" -eq 1 ]
    for id in 4 5 6; do
        run "$VARVE" logs "$id"
        [[ "$output" == *"a log"* ]]
    done
}

@test "Dockerfiles elsewhere, calls, a remote context that two targets have" {
    git init -q repo
    printf 'FROM busybox\nCOPY f /f\n' >repo/Dockerfile
    echo from-git >repo/f
    git -C repo add .
    git -C repo -c user.name=a -c user.email=a@b commit -qm x
    mkdir app files
    printf 'FROM busybox\nENV a b\nRUN true\n' >files/D
    cat >docker-bake.hcl <<END
target "g" {
  context = "$PWD/repo/.git"
  tags = ["g"]
}
target "h" {
  context = "$PWD/repo/.git"
  dockerfile-inline = "FROM busybox\nCOPY f /f\nCOPY f /h\n"
  tags = ["h"]
}
target "d" {
  context = "app"
  dockerfile = "../files/D"
  tags = ["d"]
}
target "e" {
  context = "app"
  dockerfile = "cwd://files/D"
}
END
    sed -i "s|\"$PWD/repo/.git\"|\"file://$PWD/repo/.git\"|" docker-bake.hcl
    run bake d e
    echo "$output"
    [ "$status" -eq 0 ]
    run bake --check d
    [ "$status" -eq 3 ]
    [[ "$output" == *"LegacyKeyValueFormat"* ]]
    run bake --call=targets d e
    [ "$status" -eq 0 ]
    [[ "$output" == *"d"*"TARGET"*"e"*"TARGET"* ]]
    run bake --call=outline,format=json d
    [ "$status" -eq 0 ]
}

@test "what cannot be done is said before anything runs" {
    cat >docker-bake.hcl <<'END'
target "default" {
  dockerfile-inline = "FROM busybox\n"
  attest = ["type=sbom"]
}
target "nowhere" { context = "not-there" }
END
    run bake
    [ "$status" -eq 1 ]
    [[ "$output" == *"default: attest type=sbom: attestations are not supported"* ]]
    run bake --sbom=false
    [ "$status" -eq 0 ]
    run bake nowhere
    [ "$status" -eq 2 ]
    [[ "$output" == *"nowhere: the context not-there is not a directory"* ]]
    run bake --parallel 0
    [ "$status" -eq 2 ]
}

@test "an interrupted run ends with 130, and keeps what is done" {
    base_and_users 1
    cat >>docker-bake.hcl <<'END'
target "slow" {
  contexts = { base = "target:base" }
  dockerfile-inline = "FROM base\nRUN sleep 60\n"
}
END
    "$VARVE" bake --progress=plain --allow "fs=*" --set "*.contexts.busybox=oci-layout://$BASES/busybox-oci" t1 slow >log 2>&1 3>&- &
    pid=$!
    for _ in $(seq 100); do
        if grep -q 'RUN sleep 60' log; then break; fi
        sleep 0.1
    done
    kill -INT $pid
    status=0
    wait $pid || status=$?
    [ "$status" -eq 130 ]
    grep -q 'interrupted; finished steps are kept' log
    run bake t1
    [ "$(grep -c 'made once >/base   cached' <<<"$output")" = 1 ]
}

@test "a FROM that names the image of another target earns a warning with the link" {
    cat >docker-bake.hcl <<'END'
group "default" { targets = ["base", "app"] }
target "base" {
  tags = ["mine/base"]
  dockerfile-inline = "FROM busybox\n"
}
target "app" {
  dockerfile-inline = "FROM mine/base:latest AS a\nFROM a\n"
}
END
    run bake
    [[ "$output" == *"warning: app: FROM mine/base:latest is the image of an earlier run, not the one that base makes now"*'"target:base"'* ]]
    sed -i 's|FROM mine/base:latest AS|FROM busybox AS|' docker-bake.hcl
    run bake
    [ "$status" -eq 0 ]
    [[ "$output" != *"earlier run"* ]]
}

@test "a target whose cache cannot be opened runs nothing, the others are made" {
    base_and_users 1 2
    unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
    run bake --set 't1.cache-to=type=s3,region=x,bucket=b'
    echo "$output"
    [ "$status" -eq 2 ]
    [[ "$(row t1)" == *"FAILED"* && "$(row t2)" == *"ready"* ]]
    [[ "$output" == *"t1 failed:"*"access_key_id"* ]]
    run ! grep -q 'FROM_BASE 1 >/own' <<<"$output"
}
