#!/usr/bin/env bats
# action.yml as GitHub's runner runs it (tests/testbed/runaction.mjs), with a real registry and GitHub's cache
# service, and the CI files of the example.
bats_require_minimum_version 1.5.0
load helper
ROOT=$BATS_TEST_DIRNAME/../..
setup_file() {
    MODULES=$("$TESTBED/actions.sh" install) || { export NO_ACTIONS=yes && return; }
    export MODULES
    base_setup
}
setup() {
    [ -z "${NO_ACTIONS:-}" ] || skip "what checks CI files cannot be fetched from npm"
    cd "$BATS_TEST_TMPDIR"
    mkdir ctx bin tmp
    export RUNNER_TEMP=$PWD/tmp GITHUB_WORKSPACE=$PWD GITHUB_STEP_SUMMARY=$PWD/summary.md LC_ALL=C.UTF-8
    unset GITHUB_OUTPUT GITHUB_PATH GITHUB_REPOSITORY GITHUB_SHA GITHUB_REF GITHUB_SERVER_URL SOURCE_DATE_EPOCH
    printf 'FROM scratch\nCOPY f /f\n' >ctx/Dockerfile
    echo 1 >ctx/f
}
# act INPUT=VALUE...: runs the action; its outputs are the last line.
act() {
    node "$TESTBED/runaction.mjs" "$MODULES" "${ACTION:-$ROOT}" "varve=${PROGRAM:-$VARVE}" "root=${STORE:-$PWD/store}" "$@"
}
outputs() { tail -n 1 <<<"$output" | jq -r "$1"; }
# A program in varve's place that tells how it is called.
recorder() {
    printf '#!/bin/sh\n[ "$1" != version ] || exit 0\nprintf "%%s\\n" "$@" >%s/words\nenv >%s/environment\n' "$PWD" "$PWD" >bin/recorder
    chmod +x bin/recorder
    PROGRAM=$PWD/bin/recorder
}

@test "action.yml, the workflow and .gitlab-ci.yml are valid" {
    "$TESTBED/actions.sh" check "$ROOT/action.yml" "$ROOT/bake/action.yml" "$ROOT/examples/graphrag/.github/workflows/build.yml" \
        "$ROOT/examples/graphrag/.gitlab-ci.yml"
    sed 's/runs-on: .*/runs_on: x/' "$ROOT/examples/graphrag/.github/workflows/build.yml" >broken.yml
    run ! "$TESTBED/actions.sh" check broken.yml
}

@test "inputs become options; lists are separated by commas and lines, and quotes hold" {
    recorder
    act context=ctx "tags=a:1,b
c" 'build-args=A=1,2
"B=two
lines"' push=true no-cache=false 'secret-envs=T=TOKEN,U' secret-files=K=key.pem explain=false 'add-hosts="x:1.2.3.4",y:1.2.3.5'
    grep -v -e metadata -e summary words >got
    printf '%s\n' --root "$PWD/store" build --progress=plain --add-host=x:1.2.3.4 --add-host=y:1.2.3.5 \
        --build-arg=A=1,2 "--build-arg=B=two
lines" --push --tag=a:1 --tag=b --tag=c --secret id=T,env=TOKEN --secret id=U,env=U --secret id=K,src=key.pem ctx >want
    grep -v -e "^$RUNNER_TEMP" got | diff want -
}

@test "a secret's value is in no command line, and a token is for the repository's own context alone" {
    recorder
    export GITHUB_REPOSITORY=team/app GITHUB_SERVER_URL=http://git.test GITHUB_SHA=abc GITHUB_REF=refs/heads/main
    GITHUB_TOKEN=token-1 act 'secrets=S=secret-1
"M=first
second"' github-token=token-1
    [ "$(tail -n 1 words)" = "http://git.test/team/app.git#abc" ]
    run ! grep -e secret-1 -e token-1 -e second words
    grep -qx 'id=GIT_AUTH_TOKEN,env=VARVE_ACTION_SECRET_2' words
    grep -qx VARVE_ACTION_SECRET_0=secret-1 environment
    run ! grep ^INPUT_ environment
    act context=http://elsewhere.test/x.git github-token=token-1
    run ! grep GIT_AUTH_TOKEN words
    GITHUB_REF=refs/pull/7/merge act "context={{defaultContext}}:sub"
    [ "$(tail -n 1 words)" = "http://git.test/team/app.git#refs/pull/7/merge:sub" ]
}

@test "outputs and the summary tell what was built, pushed and cached" {
    url=$("$TESTBED/registry.sh" start "$PWD/registry")
    registry=${url#http://}
    run act context=ctx "tags=$registry/app:1,$registry/app:2" push=true "cache-to=type=registry,ref=$registry/cache,mode=max"
    echo "$output"
    [ "$status" -eq 0 ]
    digest=$(curl -sI -H 'Accept: application/vnd.oci.image.manifest.v1+json' "$url/v2/app/manifests/2" | tr -d '\r' | sed -n 's/^docker-content-digest: //Ip')
    [ "$(outputs .digest)" = "$digest" ]
    [ "$(outputs '.metadata | fromjson | .["containerimage.digest"]')" = "$digest" ]
    grep -q '1 step ran, 0 from the cache' summary.md
    rm summary.md
    STORE=$PWD/other run act context=ctx "tags=$registry/app:1" push=true "cache-from=type=registry,ref=$registry/cache"
    [ "$(outputs .digest)" = "$digest" ]
    grep -q '0 steps ran, 1 from the cache (100 %)' summary.md
    grep -q 'Image .*, 0 B more than the one before (compressed, at the registry)' summary.md
    # A machine without a store of its own compares with what the push replaces.
    rm summary.md
    head -c 30000 /dev/urandom >ctx/more
    printf 'COPY more /\n' >>ctx/Dockerfile
    STORE=$PWD/third run act context=ctx "tags=$registry/app:1" push=true "cache-from=type=registry,ref=$registry/cache"
    grep -qE 'Image .*, 30(\.[0-9])? kB more than the one before \(compressed, at the registry\)' summary.md
    rm summary.md
    STORE=$PWD/third run act context=ctx "tags=$registry/app:new" push=true
    run ! grep -q 'the one before' summary.md
    "$TESTBED/registry.sh" stop "$PWD/registry"
}

@test "GitHub's cache is reached with the runner's own token, which no other step sees" {
    "$TESTBED/cacheservers.sh" install || skip "azurite cannot be fetched from npm"
    service=$("$TESTBED/cacheservers.sh" start azure "$PWD/azure")
    export ACTIONS_RESULTS_URL=$service/ ACTIONS_CACHE_SERVICE_V2=true
    ACTIONS_RUNTIME_TOKEN=x.$(printf '%s' '{"ac":"[{\"Scope\":\"refs/heads/main\",\"Permission\":3}]"}' | base64 -w0).x
    export ACTIONS_RUNTIME_TOKEN
    act context=ctx tags=a cache-to=type=gha,mode=max
    STORE=$PWD/other run act context=ctx tags=a cache-from=type=gha
    "$TESTBED/cacheservers.sh" stop "$PWD/azure"
    [[ "$output" == *" 0 steps ran, 1 cached"* ]]
    recorder
    act context=ctx
    run ! grep ^ACTIONS_ environment
}

@test "a failure is marked at its line, ends with the build's exit code, and is in the summary" {
    printf 'FROM scratch\nCOPY missing /x\n' >ctx/Dockerfile
    run act context=ctx
    [ "$status" -eq "$("$VARVE" --root "$PWD/o" build -q ctx >/dev/null 2>&1 || echo $?)" ]
    grep -q '^::error file=ctx/Dockerfile,line=2,col=6,title=varve::"missing" was not found' <<<"$output"
    grep -q 'failed after' summary.md
    run act context=ctx push=maybe
    [ "$status" -eq 2 ]
    [[ "$output" == *"the input push is 'maybe': give true or false"* ]]
}

@test "what a step prints is no workflow command" {
    printf 'FROM busybox\nRUN echo "::add-path::/evil"; echo; echo "::set-env name=X::y"\n' >ctx/Dockerfile
    run act context=ctx "build-contexts=busybox=oci-layout://$BASES/busybox-oci"
    [ "$status" -eq 0 ]
    # Between the two lines of the same token the runner obeys nothing.
    token=$(sed -n 's/^::stop-commands:://p' <<<"$output")
    sed -n "/^::stop-commands::$token/,/^::$token::/p" <<<"$output" | grep -q add-path
    run ! grep -e add-path -e set-env < <(sed "/^::stop-commands::$token/,/^::$token::/d" <<<"$output")
}

@test "a release's program is verified before it is used" {
    recorder
    assets=site/team/varve/releases/download/v1
    name=varve-linux-$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/').tar.gz
    mkdir -p $assets
    cp "$PROGRAM" bin/varve
    tar -C bin -czf "$assets/$name" varve
    (cd $assets && sha256sum "$name" >SHA256SUMS)
    python3 -u -m http.server --bind 127.0.0.1 --directory site 0 >server.log 2>&1 3>&- &
    server=$!
    for _ in {1..100}; do port=$(grep -oE 'port [0-9]+' server.log | cut -d' ' -f2) && [ -n "$port" ] && break; sleep 0.1; done
    export GITHUB_SERVER_URL=http://127.0.0.1:$port RUNNER_TOOL_CACHE=$PWD/tools GITHUB_OUTPUT=$PWD/out VARVE_REPOSITORY=team/varve VARVE_REF=v1 VARVE_SOURCE=$ROOT VARVE_PLATFORMS=
    run "$ROOT/action/install.sh"
    [ "$status" -eq 0 ] || { echo "$output" && kill $server && false; }
    [ -x "$(sed -n 's/^varve=//p' out)" ]
    rm -rf tools
    echo damage >>"$assets/$name"
    run "$ROOT/action/install.sh"
    kill $server
    [ "$status" -ne 0 ]
    [[ "$output" == *"is not what SHA256SUMS says"* ]]
}

@test "bake's action: inputs become options, and the definition is this repository's unless it is here" {
    recorder
    ACTION=$ROOT/bake act source=. 'files=a.hcl,b.json' 'targets=x
y' 'set=*.tags=a:1,b
t.args.A=1' push=true 'allow=network.host,fs.read=/x' vars=V=1 explain=false
    grep -v -e metadata -e summary words >got
    printf '%s\n' --root "$PWD/store" bake --progress=plain --allow=network.host --allow=fs.read=/x --file=a.hcl \
        --file=b.json --push --set=*.tags=a:1,b --set=t.args.A=1 --var=V=1 x y >want
    diff got want
    export GITHUB_REPOSITORY=team/app GITHUB_SERVER_URL=http://git.test GITHUB_SHA=abc GITHUB_REF=refs/heads/main
    ACTION=$ROOT/bake act targets=x github-token=token-1
    [ "$(tail -n 2 words)" = "http://git.test/team/app.git#abc
x" ]
    run ! grep token-1 words
    grep -qx BUILDX_BAKE_GIT_AUTH_TOKEN=token-1 environment
}

@test "bake's action builds: metadata and a summary of each target" {
    cat >docker-bake.hcl <<'END'
group "default" { targets = ["one", "two"] }
target "one" {
  context = "ctx"
  tags = ["one"]
}
target "two" {
  context = "ctx"
  dockerfile-inline = "FROM scratch\nCOPY missing /x\n"
}
END
    ACTION=$ROOT/bake run act source=. targets=one
    echo "$output"
    [ "$status" -eq 0 ]
    outputs '.metadata | fromjson | .one["containerimage.digest"]' | grep -q '^sha256:'
    ACTION=$ROOT/bake run act source=.
    [ "$status" -eq 1 ]
    outputs '.metadata | fromjson | keys | join(",")' | grep -qx one
    grep -q '<code>one</code> ready in' summary.md
    grep -q '<code>two</code> failed after' summary.md
}
