#!/usr/bin/env bats
# varve bake --allow: what a definition may not take of this machine on its own.
load helper
bats_require_minimum_version 1.5.0
setup_file() { base_setup; }

definition() {
    mkdir -p "$BATS_TEST_TMPDIR/elsewhere"
    cat >docker-bake.hcl <<END
target "app" {
  context = "$BATS_TEST_TMPDIR/elsewhere"
  dockerfile-inline = "FROM scratch"
  entitlements = ["network.host"]
  output = ["type=local,dest=$BATS_TEST_TMPDIR/out"]
}
target "plain" { dockerfile-inline = "FROM scratch" }
END
}

# on_terminal ANSWER ARGS…
on_terminal() {
    local answer=$1
    shift
    printf '%s\n' "$answer" | timeout 60 script -qec "'$VARVE' bake $*" /dev/null
}

@test "bake refuses what files may not take on their own, and prints the command that allows it" {
    definition
    run -1 varve bake app --set "app.args.A=x y"
    [[ $output == *"network.host "*"target app wants this machine's network"* ]]
    [[ $output == *"target app wants to read $BATS_TEST_TMPDIR/elsewhere"* ]]
    [[ $output == *"target app wants to write $BATS_TEST_TMPDIR/out"* ]]
    command=$(sed -n 's/^next: if you trust it: varve //p' <<<"$output")
    [[ $command == "bake --allow network.host --allow fs.read="*" app --set 'app.args.A=x y'" ]]
    run eval "varve $command"
    [[ $output != *"on their own"* ]]
    # Only what is missing is asked for.
    run -1 varve bake app --allow network.host --allow "fs.read=*"
    [[ $output != *"wants this machine"* && $output != *"to read"* && $output == *"--allow fs.write=$BATS_TEST_TMPDIR/out app"* ]]
}

@test "bake --print and targets that want nothing need no --allow; paths of --set are the user's" {
    definition
    run -0 varve bake --print app
    run varve bake plain
    [[ $output != *"on their own"* ]]
    run varve bake plain --set "plain.output=type=local,dest=$BATS_TEST_TMPDIR/out"
    [[ $output != *"on their own"* ]]
}

@test "BUILDX_BAKE_ENTITLEMENTS_FS=0 leaves paths alone, not entitlements" {
    definition
    BUILDX_BAKE_ENTITLEMENTS_FS=0 run -1 varve bake app
    [[ $output == *network.host* && $output != *"to read"* && $output != *"to write"* ]]
    BUILDX_BAKE_ENTITLEMENTS_FS=perhaps run -2 varve bake app
    [[ $output == *"BUILDX_BAKE_ENTITLEMENTS_FS=perhaps"* ]]
}

@test "bake asks on a terminal, and only there" {
    definition
    run on_terminal y app
    [[ $output == *"to read $BATS_TEST_TMPDIR/elsewhere"*"Allow this? [y/N]"* ]]
    [[ $output != *"was not allowed"* ]]
    run on_terminal n app
    [[ $output == *"Allow this? [y/N]"*"nothing was built: what it asks for was not allowed"* ]]
    [[ $output == *"if you trust it: varve bake --allow network.host"* ]]
    run -1 varve bake app </dev/null
    [[ $output != *"[y/N]"* ]]
}

@test "a path outside cannot hide behind a link, nor write to the terminal" {
    ln -s /etc link
    printf 'target "default" {\n  context = "link/apt"\n  contexts = { b = "/nowhere/\\u001b[31m" }\n}\n' >docker-bake.hcl
    run -1 varve bake
    [[ $output == *"fs.read=/etc/apt"* ]]
    [[ $output == *"fs.read=/nowhere/"* && $output != *$'\e'* ]]
}

@test "--allow knows its words" {
    definition
    run -2 varve bake app --allow netwrok.host
    [[ $output == *"--allow netwrok.host"*"network.host"* ]]
    run -2 varve bake app --allow fs
    [[ $output == *"fs=PATH"* ]]
}
