#!/usr/bin/env python3
"""Runs varve bake for bake/action.yml."""
import os
import sys
import tempfile

from common import (clean_environment, command_text, default_context, ended, given, lines, listed, option_words, run,
                    set_output)

# input, option, what it holds. Order is that of the command line.
OPTIONS = [
    ("allow", "--allow", "list"),
    ("call", "--call", "one"),
    ("files", "--file", "list"),
    ("load", "--load", "flag"),
    ("no-cache", "--no-cache", "flag"),
    ("provenance", "--provenance", "one"),
    ("pull", "--pull", "flag"),
    ("push", "--push", "flag"),
    ("sbom", "--sbom", "one"),
    ("set", "--set", "lines"),
    ("vars", "--var", "lines"),
    ("explain", "--explain", "flag"),
    ("fail-fast", "--fail-fast", "flag"),
]


def source():
    """The repository with the definition; None: it is in the working directory."""
    place = given("source")
    if place == ".":
        return None
    default = default_context() if not place or "{{defaultContext}}" in place else ""
    return place.replace("{{defaultContext}}", default) if place else default


def give_token(place, env):
    """To the repository's own server alone, and not on the command line."""
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    if given("github-token") and place and place.startswith(server + "/"):
        print(f"::add-mask::{command_text(given('github-token'))}", flush=True)
        env.setdefault("BUILDX_BAKE_GIT_AUTH_TOKEN", given("github-token"))


def main():
    env, place = clean_environment(), source()
    words = [env.get("VARVE_PROGRAM") or "varve"] + (["--root", given("root")] if given("root") else [])
    words += ["bake", "--progress=plain"] + option_words(OPTIONS)
    give_token(place, env)
    if given("workdir"):
        os.chdir(given("workdir"))
    with tempfile.TemporaryDirectory(dir=env.get("RUNNER_TEMP") or None) as temporary:
        metadata = os.path.join(temporary, "metadata.json")
        if not given("call") or given("call") == "build":
            words += ["--metadata-file", metadata]
            if env.get("GITHUB_STEP_SUMMARY") and env.get("DOCKER_BUILD_SUMMARY", "true") != "false":
                words += ["--summary-file", env["GITHUB_STEP_SUMMARY"]]
        words += ([place] if place else []) + listed("targets")
        print("::group::" + command_text(" ".join(words)), flush=True)
        code, _ = run(words, env)
        print("::endgroup::", flush=True)
        ended("bake", code)
        if os.path.exists(metadata):
            with open(metadata, encoding="utf-8") as f:
                set_output("metadata", f.read().strip())
    sys.exit(code)


if __name__ == "__main__":
    main()
