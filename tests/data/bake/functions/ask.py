#!/usr/bin/env python3
"""Ask a real `docker buildx bake` what the calls of the case files yield, and write it down.

usage: ask.py FILE...     with BUILDX="docker buildx" (the default) or a command of your own

A case is a line "EXPRESSION<tab>RESULT": the result is the value as JSON, or "!" and the error.
Only the expressions are read; the results are written anew. Lines that are empty or begin with '#'
stay. A line "EXPRESSION<tab>=RESULT" stays as well: buildx is not asked, because it lacks that
function, crashes, or because we differ on purpose.
"""
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile

BUILDX = shlex.split(os.environ.get("BUILDX", "docker buildx"))


def bake(text):
    with tempfile.TemporaryDirectory(dir=os.environ.get("BAKE_TMP")) as folder:
        path = os.path.join(folder, "docker-bake.hcl")
        with open(path, "w", encoding="utf-8", newline="") as f:
            f.write(text)
        shown = os.environ.get("BAKE_TMP_INSIDE")
        if shown:
            path = os.path.join(shown, os.path.basename(folder), "docker-bake.hcl")
        return subprocess.run(BUILDX + ["bake", "-f", path, "--print"], capture_output=True, text=True)


def target(n, expression):
    return f'target "t{n}" {{\n  args = {{ a = {expression} }}\n}}\n'


def ask_many(calls):
    """Results by number; None where the call failed."""
    names = ", ".join(f'"t{n}"' for n in range(len(calls)))
    text = f'group "default" {{\n  targets = [{names}]\n}}\n'
    text += "".join(target(n, f'try(jsonencode({c}), "!")') for n, c in enumerate(calls))
    done = bake(text)
    if done.returncode:
        sys.exit(done.stderr)
    targets = json.loads(done.stdout)["target"]
    answers = [targets[f"t{n}"]["args"]["a"] for n in range(len(calls))]
    answers = [a.replace("$${", "${").replace("%%{", "%{") for a in answers]
    return [None if a == "!" else a for a in answers]


def ask_error(call):
    done = bake('group "default" {\n  targets = ["t0"]\n}\n' + target(0, f"jsonencode({call})"))
    if done.returncode == 0:
        return "(none when asked alone)"
    last = done.stderr.split("ERROR: ")[-1].strip().replace("\n", " ")
    last = re.sub(r"^[^ ]*docker-bake.hcl:[0-9,-]+: ", "", last)
    return re.sub(r", and [0-9]+ other diagnostic\(s\)$", "", last)


def main():
    for name in sys.argv[1:]:
        with open(name, encoding="utf-8", newline="\n") as f:
            lines = f.read().split("\n")
        asked = [i for i, s in enumerate(lines) if s and s[0] != "#" and "\t=" not in s]
        calls = [lines[i].split("\t")[0] for i in asked]
        for i, call, answer in zip(asked, calls, ask_many(calls)):
            if answer is None:
                answer = "!" + ask_error(call)
            lines[i] = call + "\t" + answer.replace("\t", " ")
        with open(name, "w", encoding="utf-8", newline="\n") as f:
            f.write("\n".join(lines))
        print(f"{name}: {len(calls)} calls")


main()
