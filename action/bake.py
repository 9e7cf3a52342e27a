#!/usr/bin/env python3
"""Runs varve bake for bake/action.yml."""
import os
import sys

from common import clean_environment, command_text, ended, given, listed, option_words, place, run_varve, set_output

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


def give_token(source, env):
    """To the repository's own server alone, and not on the command line."""
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    if given("github-token") and source and source.startswith(server + "/"):
        print(f"::add-mask::{command_text(given('github-token'))}", flush=True)
        env.setdefault("BUILDX_BAKE_GIT_AUTH_TOKEN", given("github-token"))


def main():
    env = clean_environment()
    source = None if given("source") == "." else place("source")  # None: it is in the working directory
    give_token(source, env)
    if given("workdir"):
        os.chdir(given("workdir"))
    code, _, metadata = run_varve("bake", option_words(OPTIONS), ([source] if source else []) + listed("targets"), env)
    ended("bake", code)
    if metadata:
        set_output("metadata", metadata)
    sys.exit(code)


if __name__ == "__main__":
    main()
