#!/usr/bin/env bats
# examples/graphrag's bake file: its targets, and that production and development share their base to the byte.
load helper
bats_require_minimum_version 1.5.0
setup_file() { base_setup; }

EXAMPLE=$BATS_TEST_DIRNAME/../../examples/graphrag

# The stages of a Dockerfile that Dockerfile.base has, too.
shared() { sed -n '/^# --- Level 1/,/^COPY package.json \.\/$/p' "$1"; }

@test "the three Dockerfiles have the same base stages" {
    [ "$(shared "$EXAMPLE/Dockerfile.base" | grep -c '^FROM ')" -eq 3 ]
    diff <(shared "$EXAMPLE/Dockerfile.base") <(shared "$EXAMPLE/Dockerfile")
    diff <(shared "$EXAMPLE/Dockerfile.base") <(shared "$EXAMPLE/Dockerfile.dev")
}

@test "the example's targets" {
    cd "$EXAMPLE"
    run -0 varve bake --list targets --strict
    [[ $output == *base*default*dev*prod*test* && $output != *_common* ]]
    run -0 varve bake --list variables
    [[ $output == *NODE_IMAGE*PLATFORMS*REGISTRY*VERSION* ]]
    varve bake --print >"$BATS_TEST_TMPDIR/plan"
    jq -e '.group.default.targets == ["dev", "prod"] and (.target | keys) == ["base", "dev", "prod"] and
        .target.base.output == [{type: "cacheonly"}] and
        ([.target.dev, .target.prod] | all(.contexts == {base: "target:base"})) and
        .target.prod.tags == ["graphrag:latest"] and .target.dev.tags == ["graphrag:dev"]' "$BATS_TEST_TMPDIR/plan"
    VERSION=1.4 REGISTRY=r.test/t PLATFORMS=linux/amd64,linux/arm64 varve bake --print default test >"$BATS_TEST_TMPDIR/plan"
    jq -e '.target.prod.tags == ["r.test/t/graphrag:latest", "r.test/t/graphrag:1.4"] and
        .target.dev.tags == ["r.test/t/graphrag:dev", "r.test/t/graphrag:1.4-dev"] and
        .target.dev.platforms == ["linux/amd64", "linux/arm64"] and
        .target.test.output == [{type: "cacheonly"}] and (.target.test.platforms | length) == 1' "$BATS_TEST_TMPDIR/plan"
}

@test "the example's Dockerfiles pass the checks" {
    for f in Dockerfile Dockerfile.base Dockerfile.dev; do
        varve build --check -f "$EXAMPLE/$f" "$EXAMPLE"
    done
}
