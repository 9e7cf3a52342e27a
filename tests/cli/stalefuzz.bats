#!/usr/bin/env bats
# Random Dockerfiles and edits: a store that has seen them all makes what an empty store makes (tests/fuzz/stale.py, which runs longer by hand).
load helper
setup_file() { base_setup; }

@test "after random edits a store makes what an empty one makes" {
    python3 "$BATS_TEST_DIRNAME/../fuzz/stale.py" "$VARVE" "$BASES" --seed 8 --seeds 1 --edits 10
    python3 "$BATS_TEST_DIRNAME/../fuzz/stale.py" "$VARVE" "$BASES" --seed 16 --seeds 2 --edits 6 # 16 found layers that its history did not name
}
