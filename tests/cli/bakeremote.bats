#!/usr/bin/env bats
# varve bake URL: definitions in git repositories, archives and files on a server. What it prints was compared with docker buildx bake.
load helper
bats_require_minimum_version 1.5.0
setup_file() { base_setup; }

setup() {
    export VARVE_ROOT=$BATS_TEST_TMPDIR/store NO_COLOR=1 LC_ALL=C.UTF-8
    export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
    unset SOURCE_DATE_EPOCH DOCKER_HOST http_proxy HTTP_PROXY SSH_AUTH_SOCK
    WEB=$BATS_TEST_TMPDIR/web LOG=$BATS_TEST_TMPDIR/requests
    mkdir -p "$BATS_TEST_TMPDIR/ctx" "$WEB"
    : >"$LOG"
    python3 "$FAULTS/files.py" "$WEB" "$LOG" "$BATS_TEST_TMPDIR/port" 3>&- &
    SERVER=$!
    for _ in $(seq 200); do
        [ ! -e "$BATS_TEST_TMPDIR/port" ] || break
        sleep 0.05
    done
    HOST=http://127.0.0.1:$(cat "$BATS_TEST_TMPDIR/port")
    cd "$BATS_TEST_TMPDIR/ctx" || return 1
}

teardown() { kill "$SERVER" && wait "$SERVER" || true; }

definition() {
    mkdir -p "$1/app" "$1/sub/x"
    touch "$1/app/Dockerfile" "$1/sub/x/k"
    cat >"$1/docker-bake.hcl" <<'END'
group "default" { targets = ["a", "b", "c"] }
target "a" {
  tags = ["a"]
  contexts = { here = ".", other = "app", w = "cwd://w" }
}
target "b" { context = "app" }
target "c" {
  context = BAKE_CMD_CONTEXT
  args = { C = BAKE_CMD_CONTEXT }
}
END
    printf '{"target": {"default": {"context": "x", "tags": ["s"]}}}\n' >"$1/sub/docker-bake.json"
    printf 'services:\n  web:\n    extends: {file: sub/more.yaml, service: m}\n' >"$1/more.yaml"
    printf 'services:\n  m:\n    build: ./app\n' >"$1/sub/more.yaml"
}

repository() {
    definition "$BATS_TEST_TMPDIR/r"
    (
        cd "$BATS_TEST_TMPDIR/r" || exit 1
        git init -q -b main
        git add -A
        git commit -qm one
        git archive -o "$WEB/r.tar.gz" HEAD
    )
    git clone -q --bare "$BATS_TEST_TMPDIR/r" "$WEB/r.git"
}

@test "bake URL reads a repository: its whole is the URL, paths stay, cwd:// is here" {
    repository
    varve bake --print "$HOST/r.git" >out
    jq -e --arg url "$HOST/r.git" '.target.a.context == $url and .target.b.context == "app" and .target.c.context == "." and
        .target.c.args.C == "cwd://" and .target.a.contexts == {here: ".", other: "app", w: "cwd://w"}' out
    varve bake --print "$HOST/r.git" https://elsewhere.test/x.git c >out
    jq -e '.target.c.context == "https://elsewhere.test/x.git" and .target.c.args.C == "https://elsewhere.test/x.git"' out
    # A directory of it, and a file in it.
    varve bake --print "$HOST/r.git#main:sub" >out
    jq -e '.target.default == {context: "x", dockerfile: "Dockerfile", tags: ["s"]}' out
    varve bake --print "$HOST/r.git" -f sub/docker-bake.json >out
    jq -e '.target.default.context == "x"' out
    varve bake --print -f more.yaml "$HOST/r.git" web >out
    jq -e '.target.web.context == "sub/app"' out
}

@test "bake URL: files of cwd:// are local and come last" {
    repository
    printf 'target "a" { tags = ["mine"] }\ntarget "local" {}\n' >l.hcl
    varve bake --print "$HOST/r.git" -f cwd://l.hcl a local >out
    jq -e --arg url "$HOST/r.git" '.target.a.tags == ["mine"] and .target.a.contexts.other == "app" and .target.local.context == $url' out
    varve bake --print "$HOST/r.git#main:app" -f cwd://l.hcl local >out
    jq -e '.target.local.context | endswith("#main:app")' out
    run -1 varve bake --print "$HOST/r.git" -f l.hcl
    [[ $output == *"cannot open l.hcl of $HOST/r.git"* ]]
    run -1 varve bake --print "$HOST/r.git#main:app"
    [[ $output == *"there is no bake file in $HOST/r.git#main:app"* ]]
}

@test "bake URL reads an archive, or one file of at most 2 MB" {
    repository
    varve bake --print "$HOST/r.tar.gz" >out
    jq -e --arg url "$HOST/r.tar.gz" '.target.a.context == $url and .target.b.context == "app"' out
    cp "$BATS_TEST_TMPDIR/r/docker-bake.hcl" "$WEB/x.hcl"
    cp "$BATS_TEST_TMPDIR/r/sub/docker-bake.json" "$WEB/nosuffix"
    varve bake --print "$HOST/x.hcl" >out
    jq -e '.target.a.context == "." and .target.b.context == "app"' out
    varve bake --print "$HOST/nosuffix" | jq -e '.target.default.tags == ["s"]'
    run -0 --separate-stderr varve bake --print "$HOST/x.hcl" -f other.hcl
    [[ $stderr == *"note: $HOST/x.hcl is one file; -f other.hcl has no effect"* ]]
    head -c 2200000 /dev/zero | tr '\0' '#' >"$WEB/large.hcl"
    run -1 varve bake --print "$HOST/large.hcl"
    [[ $output == *"$HOST/large.hcl"*"2"*"MB"* || $output == *"larger"* ]]
    run -1 varve bake --print "$HOST/none.hcl"
    [[ $output == *"cannot get the definition $HOST/none.hcl"*404* ]]
}

@test "bake URL: links of a definition do not lead to files of this machine" {
    mkdir "$BATS_TEST_TMPDIR/evil"
    (
        cd "$BATS_TEST_TMPDIR/evil" || exit 1
        echo 'target "stolen" {}' >"$BATS_TEST_TMPDIR/secret.hcl"
        ln -s "$BATS_TEST_TMPDIR/secret.hcl" docker-bake.hcl
        git init -q -b main
        git add -A
        git commit -qm one
    )
    git clone -q --bare "$BATS_TEST_TMPDIR/evil" "$WEB/evil.git"
    run -1 varve bake --print "$HOST/evil.git" stolen
    [[ $output != *'"stolen"'* && $output == *"no bake file"* ]]
    run -1 varve bake --print "$HOST/evil.git" -f ../../../../../../../../../../etc/hostname
    [[ $output == *"cannot open"*"No such file"* ]]
}

@test "bake URL: tokens for private repositories; contexts inside need no --allow, those of cwd:// do" {
    repository
    echo "/r.git login" >"$WEB/.rules"
    run -1 varve bake --print "$HOST/r.git"
    [[ $output == *"give a token for it: BUILDX_BAKE_GIT_AUTH_TOKEN="* ]]
    BUILDX_BAKE_GIT_AUTH_TOKEN=t0ken run -0 varve bake --print "$HOST/r.git"
    grep -qi "basic $(printf "x-access-token:t0ken" | base64)" "$LOG"
    BUILDX_BAKE_GIT_AUTH_HEADER="bearer abc" run -0 varve bake --print "$HOST/r.git"
    grep -q "bearer abc" "$LOG"
    BUILDX_BAKE_GIT_SSH=/nowhere/a,/nowhere/b run -2 varve bake --print "$HOST/r.git"
    [[ $output == *"BUILDX_BAKE_GIT_SSH=/nowhere/a,/nowhere/b: no socket"* ]]
    rm "$WEB/.rules"
    run varve bake "$HOST/r.git" a b
    [[ $output != *"on their own"* ]]
    echo 'target "out" { context = "cwd:///etc" }' >l.hcl
    run -1 varve bake "$HOST/r.git" -f cwd://l.hcl out
    [[ $output == *"--allow fs.read=/etc"* ]]
}
