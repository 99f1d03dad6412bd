#!/usr/bin/env python3
"""The house rules as a test: prints each finding as file:line: rule: why; exit 1 if there is any.

    check.py            checks the tree, and the subjects of the commits since SYN_TIDY_BASE
    check.py --write    also writes what is derived: docs/errors.md and the ratchet

The ratchet (ratchet.txt) holds the lengths that old code may have: it may shrink, never grow.
"""

import os
import subprocess
import sys

import errors
import rules

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RATCHET = "tools/tidy/ratchet.txt"
RATCHET_RULES = ("file-lines", "function-lines", "columns", "bool-parameter")
COMMITS_MAX = 50


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def write(path, text):
    with open(os.path.join(ROOT, path), "w", encoding="utf-8") as file:
        file.write(text)


def git(*arguments):
    """What git prints, or None where this is no clone."""
    try:
        done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True,
                              check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout


def all_files():
    listed = git("ls-files", "--cached", "--others", "--exclude-standard")
    if listed is not None:
        return sorted(path for path in listed.splitlines()
                      if os.path.isfile(os.path.join(ROOT, path)))
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in (".git", "build", "__pycache__")]
        found += [os.path.relpath(os.path.join(folder, name), ROOT) for name in names]
    return sorted(found)


def is_text(path):
    return path.endswith(rules.TEXT) or "." not in os.path.basename(path)


def subjects():
    base = os.environ.get("SYN_TIDY_BASE", "")
    span = [f"{base}..HEAD"] if base else [f"-{COMMITS_MAX}"]
    log = git("log", "--format=%h%x09%s", *span)
    return [tuple(line.split("\t", 1)) for line in (log or "").splitlines()]


def parse_ratchet(text):
    held = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            key, _, value = line.rpartition(" ")
            held[key] = int(value)
    return held


def format_ratchet(findings):
    head = ("# What old code may have: rule, file, function, value. It may shrink, never grow.\n"
            "# tools/tidy/check.py --write takes over what has shrunk.\n")
    return head + "".join(f"{finding.key()} {finding.value}\n" for finding in findings)


def apply_ratchet(findings, held):
    """What the ratchet does not excuse, and what of it is no longer needed."""
    left = []
    used = {}
    for finding in findings:
        allowed = held.get(finding.key())
        used[finding.key()] = finding.value
        if finding.rule not in RATCHET_RULES or allowed is None or finding.value > allowed:
            left.append(finding)
    for key, allowed in held.items():
        if used.get(key, 0) < allowed:
            left.append(rules.Finding(RATCHET, 1, "ratchet",
                                      f"'{key}' has shrunk: run tools/tidy/check.py --write"))
    return left


def check_errors(is_writing):
    page = read("docs/errors.md")
    wanted = errors.updated(page, read("host/base/error.hpp"))
    if page == wanted:
        return []
    if is_writing:
        write("docs/errors.md", wanted)
        return []
    return [rules.Finding("docs/errors.md", 1, "errors",
                          "differs from host/base/error.hpp: run tools/tidy/check.py --write")]


def main(arguments):
    if arguments not in ([], ["--write"]):
        sys.exit(__doc__)
    is_writing = bool(arguments)
    rooms = rules.parse_rooms(read("tools/tidy/rooms.txt"))
    findings = []
    count = 0
    for path in all_files():
        if is_text(path):
            findings += rules.check_file(path, read(path), rooms)
            count += 1
    held = parse_ratchet(read(RATCHET))
    if is_writing:
        kept = [f for f in findings if f.value and f.value <= held.get(f.key(), 0)]
        write(RATCHET, format_ratchet(kept))
        held = parse_ratchet(read(RATCHET))
    findings = apply_ratchet(findings, held)
    findings += check_errors(is_writing)
    findings += rules.check_subjects(subjects())
    for finding in findings:
        print(finding)
    print(f"tidy: {count} files, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
