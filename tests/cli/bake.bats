#!/usr/bin/env bats
# varve bake: what its files mean (tests/bake has most cases), what it says of them, and what they may cost.
load helper
setup_file() { base_setup; }

@test "bake --print prints for all cases what docker buildx bake prints" {
    run "$BATS_TEST_DIRNAME/../bake/check.py" "$VARVE"
    echo "$output"
    [ "$status" -eq 0 ]
}

@test "bake reads what it printed" {
    cat >docker-bake.hcl <<'END'
target "default" {
  args = { A = "$${x}", B = "%%{y}" }
  dockerfile-inline = "FROM $${a}"
  labels = { l = "<$${z}>" }
  output = ["type=image,push=true"]
  secret = ["id=HOME"]
}
END
    varve bake --print >first
    run varve bake -f - --print <first
    [ "$status" -eq 0 ]
    [ "$output" = "$(cat first)" ]
}

@test "bake warns of attributes and blocks that nobody reads, and refuses them with --strict" {
    cat >docker-bake.hcl <<'END'
target "default" {
  tag = ["a"]
  args {
    A = 1
  }
}
tagret "x" {}
variable "V" { defualt = 1 }
END
    varve bake --print 2>warnings >out
    stderr=$(cat warnings)
    [[ $stderr == *"docker-bake.hcl:2:3: warning: a target has no attribute tag, so it has no effect; did you mean tags?"* ]]
    [[ $stderr == *"docker-bake.hcl:3:3: warning: args is an attribute, not a block"* ]]
    [[ $stderr == *"there is no block tagret, so it has no effect; did you mean target?"* ]]
    [[ $stderr == *"a variable has no attribute defualt, so it has no effect; did you mean default?"* ]]
    run varve bake --print --strict
    [ "$status" -eq 1 ]
    [[ $output == *"docker-bake.hcl:2:3: error: a target has no attribute tag"* ]]
}

@test "bake: a reference sees all blocks and files that set an attribute" {
    cat >docker-bake.hcl <<'END'
target "meta" { tags = ["r/app:1"] }
target "default" { tags = [for t in target.meta.tags : "${t}-x"] }
END
    echo 'target "meta" { labels = { a = "b" } }' >docker-bake.override.hcl
    run varve bake --print
    [ "$status" -eq 0 ]
    [[ $output == *'"r/app:1-x"'* ]]
}

@test "bake: contexts count from their file with --file-relative" {
    mkdir -p sub
    cat >sub/b.hcl <<'END'
target "default" {
  context = "app"
  contexts = { a = "../x", b = "docker-image://y", c = "target:t" }
}
target "t" {}
END
    run varve bake -f sub/b.hcl --print
    [[ $output == *'"context": "app"'* ]]
    run varve bake -f sub/b.hcl --print --file-relative
    [ "$status" -eq 0 ]
    [[ $output == *'"context": "sub/app"'* && $output == *'"context": "sub",'* ]]
    [[ $output == *'"a": "sub/../x"'* && $output == *'"b": "docker-image://y"'* ]]
    BUILDX_BAKE_FILE_RELATIVE_PATHS=1 run varve bake -f sub/b.hcl --print
    [[ $output == *'"context": "sub/app"'* ]]
}

@test "bake --var beats the environment, which can be turned off" {
    cat >docker-bake.hcl <<'END'
variable "A" { default = "default" }
target "default" { args = { A = A } }
END
    A=env run varve bake --print
    [[ $output == *'"A": "env"'* ]]
    A=env run varve bake --print --var A=var
    [[ $output == *'"A": "var"'* ]]
    A=env BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP=1 run varve bake --print
    [[ $output == *'"A": "default"'* ]]
    run varve bake --print --var A
    [ "$status" -eq 2 ]
}

@test "bake --env-file adds variables for all kinds of files; the environment beats them, they beat .env" {
    echo 'variable "A" { default = "default" }' >docker-bake.hcl
    printf 'target "app" {\n  args = { A = A }\n}\n' >>docker-bake.hcl
    printf 'services:\n  web:\n    build:\n      context: .\n      args: {A: "$A", B: "$B"}\n' >compose.yaml
    printf 'A=dot\nB=dot\n' >.env
    printf 'A=one\n' >one.env
    printf "export A='two'\n" >two.env
    varve bake --print --env-file one.env app web | jq -e '.target.app.args.A == "one" and .target.web.args == {A: "one", B: "dot"}'
    varve bake --print --env-file one.env --env-file two.env app | jq -e '.target.app.args.A == "two"'
    A=env varve bake --print --env-file one.env app | jq -e '.target.app.args.A == "env"'
    run varve bake --print --env-file none.env
    [ "$status" -ne 0 ]
    [[ $output == *"none.env"* ]]
    printf 'A=1\nB="open\n' >bad.env
    run varve bake --print --env-file bad.env
    [ "$status" -eq 1 ]
    [[ $output == *"--env-file bad.env:2: "* ]]
}

@test "bake --list shows targets and variables" {
    cat >docker-bake.hcl <<'END'
variable "A" {
  default = 1
  description = "the a"
}
variable "L" { type = list(string) }
group "g" {
  targets = ["default"]
  description = "all"
}
target "default" { description = "one" }
target "_hidden" {}
END
    run varve bake --list targets
    [ "$output" = $'TARGET\tDESCRIPTION\ndefault\tone\ng\tall (default)' ]
    run varve bake --list variables
    [ "$output" = $'VARIABLE\tTYPE\t\tVALUE\tDESCRIPTION\nA\t\t\t\t1\tthe a\nL\t\tlist of string\t<null>\t' ]
    varve bake --list type=targets,format=json |
        jq -e '. == [{name: "default", description: "one"}, {name: "g", description: "all (default)", group: true}]'
    varve bake --list type=variables,format=json |
        jq -e '. == [{name: "A", description: "the a", value: "1"}, {name: "L", type: "list of string"}]'
    run varve bake --list target
    [ "$status" -eq 2 ]
    [[ $output == *targets* ]]
}

@test "bake: a thousand targets take little time, a million of them are refused" {
    cat >docker-bake.hcl <<'END'
target "base" { tags = ["x"] }
target "m" {
  inherits = ["base"]
  matrix = { a = range(0, 1000) }
  name = "m-${a}"
  tags = ["app:${a}", target.base.tags[0]]
}
END
    run varve bake --print m
    [ "$(grep -c '"app:' <<<"$output")" -eq 1000 ]
    # CPU time, for the machine may be busy with other things.
    run bash -c 'TIMEFORMAT=%U; time "$VARVE" bake --print m >out'
    echo "$output seconds"
    awk -v t="$output" 'BEGIN {exit !(t < 0.5)}'
    sed -i 's/range(0, 1000) }/range(0, 1000), b = range(0, 1000) }/; s/m-${a}/m-${a}-${b}/' docker-bake.hcl
    run varve bake --print m
    [ "$status" -eq 1 ]
    [[ $output == *"docker-bake.hcl:4:12: error: this matrix has 1000000 combinations"* ]]
}

@test "bake: chains without end are errors with a place" {
    for i in $(seq 3000); do
        echo "variable \"v$i\" { default = v$((i + 1)) }"
        echo "target \"t$i\" { inherits = [\"t$((i + 1))\"] }"
    done >docker-bake.hcl
    echo 'target "t3001" {}' >>docker-bake.hcl
    echo 'v3001 = "x"' >>docker-bake.hcl
    run varve bake --print t1
    [ "$status" -eq 1 ]
    [[ $output == *"docker-bake.hcl:"*"references lead to one another"* ]]
    sed -i '/^v/d' docker-bake.hcl
    run varve bake --print t1
    [ "$status" -eq 1 ]
    [[ $output == *"targets inherit from one another"* ]]
}

@test "bake: --print and --list exclude one another" {
    echo 'target "default" {}' >docker-bake.hcl
    run varve bake --print --list targets
    [ "$status" -eq 2 ]
}

@test "bake: unset leaves out what is inherited, and is handed down as if it had not been there" {
    cat >docker-bake.hcl <<'END'
target "p" {
  args = { A = "1", B = "2" }
  secret = ["id=x,env=X", "id=HOME"]
  attest = ["type=sbom", "type=provenance"]
  cache-from = ["a", "b"]
  target = "t"
  ulimits = ["nofile=1:2"]
}
target "c" {
  inherits = ["p"]
  unset = ["args.A", "secret.x", "attest.sbom", "cache-from", "target", "ulimits.nofile=1:2", "labels.none"]
  args = { C = "3" }
}
target "default" {
  inherits = ["c"]
}
END
    X=1 varve bake --print --strict >plan
    jq -e '.target.default | .args == {B: "2", C: "3"} and .secret == [{id: "HOME"}] and .attest == [{type: "provenance"}] and
        ([has("cache-from"), has("target"), has("ulimits"), has("unset")] | any | not)' plan
    sed -i 's/"args.A"/"argz.A"/' docker-bake.hcl
    run varve bake --print
    [ "$status" -eq 1 ]
    [[ $output == *"docker-bake.hcl:11:11: error: unset: there is no attribute argz; did you mean args?"* ]]
    sed -i 's/"argz.A"/"target.A"/' docker-bake.hcl
    run varve bake --print
    [[ $output == *"unset: target has no elements, as target.A names one"* ]]
}
