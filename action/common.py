"""What the actions of varve have in common: inputs, which are in INPUT_NAME, and how a program is run.

A list is separated by commas and lines, in CSV's quotes; lines are separated by lines alone. The
program's output is shown as it is, but is no workflow command, whatever a step prints.
"""
import csv
import io
import os
import re
import secrets
import subprocess
import sys
import tempfile

PLACE = re.compile(r"^(?P<file>[^\s:]+):(?P<line>\d+):(?P<column>\d+): (?P<kind>error|warning): (?P<text>.*)$")
RED, PLAIN = "\x1b[31m", "\x1b[0m"


def fail(message):
    print(f"::error title=varve::{command_text(message)}", flush=True)
    sys.exit(2)


def command_text(s):
    return s.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def given(name):
    return os.environ.get("INPUT_" + name.upper().replace("-", "_"), "").strip()


def flag(name):
    value = given(name)
    if value.lower() not in ("", "true", "false"):
        fail(f"the input {name} is {value!r}: give true or false")
    return value.lower() == "true"


def lines(name):
    """One value a line; quotes hold a value of several lines, or one with quotes that are doubled."""
    values, rest = [], given(name)
    while rest:
        if rest.startswith('"'):
            match = re.match(r'"((?:[^"]|"")*)"[ \t]*(?:\r?\n|$)', rest)
            if not match:
                fail(f"the input {name} has a quote that is not closed, or text behind one")
            values.append(match.group(1).replace('""', '"'))
            rest = rest[match.end():]
        else:
            line, _, rest = rest.partition("\n")
            values.append(line.strip())
        rest = rest.lstrip()
    return [v for v in values if v]


def listed(name):
    """Values separated by commas or lines."""
    rows = csv.reader(io.StringIO(given(name)), skipinitialspace=True)
    return [v.strip() for row in rows for v in row if v.strip()]


def default_context():
    """This repository at this commit. A pull request's merge has no commit that can be asked for."""
    env = os.environ
    if not env.get("GITHUB_REPOSITORY"):
        fail("the input context is not given, and GITHUB_REPOSITORY names no repository")
    ref = env.get("GITHUB_REF", "")
    if env.get("GITHUB_SHA") and not ref.startswith("refs/pull/"):
        ref = env["GITHUB_SHA"]
    server = env.get("GITHUB_SERVER_URL", "https://github.com")
    return f"{server}/{env['GITHUB_REPOSITORY']}.git#{ref}"


def option_words(options):
    """The command line's words; options: input, option, what it holds."""
    words = []
    for name, option, kind in options:
        if kind == "flag":
            words += [option] if flag(name) else []
        elif kind == "one":
            words += [f"{option}={given(name)}"] if given(name) else []
        else:
            words += [f"{option}={v}" for v in (lines if kind == "lines" else listed)(name)]
    return words


def run(words, env):
    """Shows the output as it comes; returns the exit code and the places that it names."""
    places, stop = [], secrets.token_hex(16)
    print(f"::stop-commands::{stop}", flush=True)
    child = subprocess.Popen(words, env=env, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    for raw in child.stderr:
        sys.stdout.buffer.write(raw)
        sys.stdout.flush()
        match = PLACE.match(raw.decode("utf-8", "replace").rstrip("\n"))
        if match:
            places.append(match)
    code = child.wait()
    print(f"\n::{stop}::", flush=True)
    return code, places


def set_output(name, value):
    path = os.environ.get("GITHUB_OUTPUT")
    if not path:
        return
    end = "end_" + secrets.token_hex(16)
    with open(path, "a", encoding="utf-8") as f:
        f.write(f"{name}<<{end}\n{value}\n{end}\n")


def clean_environment():
    """The program's: without the inputs, among which are secrets, and without empty tokens."""
    env = dict(os.environ)
    for name in [n for n in env if n.startswith("INPUT_") or (n.startswith("ACTIONS_") and not env[n])]:
        del env[name]
    return env


def place(name):
    """What the input names, in which {{defaultContext}} may stand; default_context() without one."""
    text = given(name)
    default = default_context() if not text or "{{defaultContext}}" in text else ""
    return text.replace("{{defaultContext}}", default) if text else default


def run_varve(command, options, rest, env):
    """varve COMMAND with its options, then rest. Returns the exit code, the places that the output names, and
    the text of --metadata-file; None: there is none."""
    words = [env.get("VARVE_PROGRAM") or "varve"] + (["--root", given("root")] if given("root") else [])
    words += [command, "--progress=plain"] + options
    with tempfile.TemporaryDirectory(dir=env.get("RUNNER_TEMP") or None) as temporary:
        metadata = os.path.join(temporary, "metadata.json")
        if not given("call") or given("call") == "build":
            words += ["--metadata-file", metadata]
            if env.get("GITHUB_STEP_SUMMARY") and env.get("DOCKER_BUILD_SUMMARY", "true") != "false":
                words += ["--summary-file", env["GITHUB_STEP_SUMMARY"]]
        words += rest
        print("::group::" + command_text(" ".join(words)), flush=True)
        code, places = run(words, env)
        print("::endgroup::", flush=True)
        if not os.path.exists(metadata):
            return code, places, None
        with open(metadata, encoding="utf-8") as f:
            return code, places, f.read().strip()


def ended(command, code):
    if code:
        print(f"{RED}varve {command} ended with exit code {code}{PLAIN}", flush=True)
