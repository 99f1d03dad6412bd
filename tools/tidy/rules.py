"""The house rules that a program can check. Each rule yields Findings; check.py runs them all."""

import os
import re
from dataclasses import dataclass

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 500
TEST_FILE_LINES_MAX = 1000
COLUMNS_MAX = 100

CODE = (".cpp", ".hpp", ".h", ".c", ".cu", ".cuh", ".cl")
TEXT = CODE + (".py", ".sh", ".md", ".txt", ".toml", ".json", ".cmake", ".test", ".sv")
# Where a system or a card may be named: in code and strings. A comment may cite anyone.
SYSTEM_NAMES = "postgres|mariadb|mysql|sqlite|salesforce|hubspot|netsuite|kafka|mqtt"
CARD_NAMES = "cuda|opencl|xrt"  # the contract numbers its engines and compiles for all of them
STATE_ONLY_NAMES = "rocksdb"
ENGINE_NUMBER = re.compile(r"\bSYN_ENGINE_\w+")
# The core is pure: what it may neither include nor call.
IMPURE_INCLUDES = re.compile(
    r'[<"](thread|mutex|atomic|future|condition_variable|chrono|random|iostream|fstream|filesystem|'
    r'cstdio|stdio\.h|ctime|time\.h|unistd\.h|sys/.*|spdlog/.*|'
    r'host/base/(clock|random|disk|log|metrics)\.hpp)[>"]')
IMPURE_CALLS = re.compile(
    r"\b(std::(thread|mutex|chrono|cout|cerr)|printf|getenv|rand|time)\b\s*[(:{]")
MARK = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))")
MACHINE = re.compile(r"(?<![\w.])/(work|farm|root|home)/\w|"
                     r"https?://[a-z0-9.-]*(debian|pypi|npmjs|maven|crates)\b")
SLEEP = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep)\b\s*\(")
# A value that is a boolean by nature may be called value.
BOOL_PARAMETER = re.compile(r"[(,]\s*(const\s+)?bool\s+(?!value\b)[a-z_]+\s*[,)=]")
COMMIT_SUBJECT = re.compile(r"^[a-z0-9_.-]+(, [a-z0-9_.-]+)*: \S.*[^.]$")
COMMIT_COLUMNS_MAX = 100


@dataclass(frozen=True)
class Finding:
    path: str
    line: int
    rule: str
    text: str
    value: int = 0  # for lengths: what the ratchet remembers
    name: str = ""  # of the function, where there is one

    def key(self):
        return f"{self.rule} {self.path}" + (f" {self.name}" if self.name else "")

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"


def parse_rooms(text):
    """Room -> all rooms it may include, itself and those reached through others among them."""
    rooms = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        room, _, named = line.partition(":")
        rooms[room] = {room}
        for other in named.split():
            if other not in rooms:
                raise ValueError(f"rooms.txt: {room} names {other}, which has no earlier line")
            rooms[room] |= rooms[other]
    return rooms


def room_of(path, rooms):
    folder = os.path.dirname(path)
    while folder and folder not in rooms:
        folder = os.path.dirname(folder)
    return folder or None


def strip(text, keep_strings=False):
    """The code with comments (and strings, unless kept) blanked out; lines stay where they are."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|'
        r"(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", re.DOTALL)

    def blank(match):
        found = match.group(0)
        if keep_strings and not found.startswith(("//", "/*")):
            return found
        return re.sub(r"[^\n]", " ", found)

    return pattern.sub(blank, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def check_includes(path, text, rooms):
    room = room_of(path, rooms)
    for match in re.finditer(r'^#include "([^"]+)"', text, re.MULTILINE):
        target = match.group(1)
        line = line_of(text, match.start())
        if room is None:
            if path.startswith("bench/") or not target.startswith("bench/"):
                continue
            yield Finding(path, line, "room", f"{target}: nothing may include bench/")
        elif room_of(target, rooms) not in rooms[room]:
            yield Finding(path, line, "room", f"{room} may not include {target} (rooms.txt)")


def check_namespace(path, text, rooms):
    room = room_of(path, rooms)
    if room is None or room in ("host/base", "kernels/contract"):
        return
    wanted = "syncline::" + room.rsplit("/", 1)[1]
    for match in re.finditer(r"^namespace (syncline[\w:]*)", text, re.MULTILINE):
        if not (match.group(1) + "::").startswith(wanted + "::"):
            yield Finding(path, line_of(text, match.start()), "namespace",
                          f"{match.group(1)} in {room}; it is {wanted}")


def check_core(path, text):
    if not path.startswith("host/core/"):
        return
    for match in re.finditer(r"^#include (.*)$", text, re.MULTILINE):
        if IMPURE_INCLUDES.search(match.group(1)):
            yield Finding(path, line_of(text, match.start()), "pure",
                          f"the core has no I/O, clock, thread or randomness: {match.group(1)}")
    code = strip(text)
    for match in IMPURE_CALLS.finditer(code):
        yield Finding(path, line_of(code, match.start()), "pure",
                      f"the core has no I/O, clock, thread or randomness: {match.group(1)}")


def check_vendors(path, text):
    is_inside = path.startswith(("host/", "kernels/contract/", "kernels/engine/", "kernels/cpu/"))
    if not is_inside or path.startswith("host/app/"):
        return
    names = SYSTEM_NAMES
    if not path.startswith("kernels/contract/"):
        names += "|" + CARD_NAMES
    if not path.startswith("host/state/"):
        names += "|" + STATE_ONLY_NAMES
    code = strip(text, keep_strings=True)
    code = ENGINE_NUMBER.sub(lambda match: " " * len(match.group(0)), code)
    for match in re.finditer(names, code, re.IGNORECASE):
        yield Finding(path, line_of(code, match.start()), "vendor",
                      f"{match.group(0)} may be named in drivers, engines and host/app only")


def functions(code):
    """(name, first line, last line) of each function body; code is stripped."""
    found = []
    stack = []  # of None (transparent) or (name, first line)
    start = 0   # of the text before the next brace
    code = re.sub(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", lambda m: re.sub(r"[^\n]", " ", m.group(0)),
                  code, flags=re.MULTILINE)
    for match in re.finditer(r"[{};]", code):
        if match.group(0) == "{":
            head = code[start:match.start()]
            is_inside = any(entry is not None for entry in stack)
            name = None if is_inside else function_name(head)
            if name is None:
                stack.append(("", 0) if is_inside or is_value(head) else None)
            else:
                first = start + len(head) - len(head.lstrip())
                stack.append((name, line_of(code, first)))
        elif match.group(0) == "}" and stack:
            entry = stack.pop()
            if entry is not None and entry[0]:
                found.append((entry[0], entry[1], line_of(code, match.start())))
        start = match.end()
    return found


def is_value(head):
    """A brace that begins neither a scope nor a body: what is in it is no place for functions."""
    return not re.search(r"\b(namespace|class|struct|union|enum|extern)\b", head)


def function_name(head):
    head = re.sub(r"\b(public|private|protected)\s*:(?!:)", " ", head).strip()
    if "(" not in head or re.match(r"(class|struct|union|enum|namespace)\b", head):
        return None
    if re.match(r".*=\s*$", head, re.DOTALL):
        return None
    match = re.search(r"([~\w:]+|operator\s*[^\s(]+)\s*\(", head)
    if not match or match.group(1) in ("if", "for", "while", "switch", "catch", "alignas"):
        return None
    name = match.group(1)
    if name.startswith("TEST") or name.endswith("_TEST"):
        arguments = re.match(r"[^)]*", head[match.end():]).group(0)
        name += "(" + re.sub(r"\s+", "", arguments) + ")"
    return name


def check_lengths(path, text):
    lines = text.splitlines()
    limit = TEST_FILE_LINES_MAX if path.startswith("tests/") else FILE_LINES_MAX
    if path.endswith(CODE + (".py",)) and len(lines) > limit:
        yield Finding(path, 1, "file-lines", f"{len(lines)} lines, more than {limit}", len(lines))
    wide = [i + 1 for i, line in enumerate(lines) if len(line) > COLUMNS_MAX]
    if path.endswith(CODE + (".py",)) and wide:
        yield Finding(path, wide[0], "columns",
                      f"{len(wide)} lines of more than {COLUMNS_MAX} columns", len(wide))
    if not path.endswith(CODE):
        return
    for name, first, last in functions(strip(text)):
        size = last - first + 1
        if size > FUNCTION_LINES_MAX:
            yield Finding(path, first, "function-lines",
                          f"{name} has {size} lines, more than {FUNCTION_LINES_MAX}", size, name)


def check_header(path, text):
    if not path.endswith((".hpp", ".h")):
        return
    if not text.startswith(("//", "/*")):
        yield Finding(path, 1, "header", "a header opens with what it is, in one sentence")
    if "#pragma once" not in text and "#ifndef" not in text:
        yield Finding(path, 1, "header", "no #pragma once")
    if path.startswith(("host/", "kernels/", "drivers/")):
        code = strip(text)
        found = [line_of(code, match.end()) for match in BOOL_PARAMETER.finditer(code)]
        if found:
            yield Finding(path, found[0], "bool-parameter", f"{len(found)} boolean parameters say "
                          "nothing at the call: use enums", len(found))


def check_words(path, text):
    if path.startswith("tools/tidy/"):
        return
    for pattern, rule, why in (
            (MARK, "todo", "unfinished work carries an issue number, as in TODO(#12)"),
            (MACHINE, "machine", "a machine's path or a registry's address")):
        for match in pattern.finditer(text):
            yield Finding(path, line_of(text, match.start()), rule, f"{match.group(0)}: {why}")
    if path.startswith("tests/") and path.endswith(CODE):
        code = strip(text)
        for match in SLEEP.finditer(code):
            yield Finding(path, line_of(code, match.start()), "sleep",
                          f"{match.group(1)}: wait for what happens, with a deadline")


def check_name(path):
    if path.endswith(CODE) and not re.fullmatch(r"[a-z][a-z0-9_]*\.\w+", os.path.basename(path)):
        yield Finding(path, 1, "file-name", "files are named in snake_case")
    if re.match(r"tests/unit/.*\.cpp$", path) and not path.endswith("_test.cpp"):
        yield Finding(path, 1, "file-name", "a unit test is named <thing>_test.cpp")


def check_file(path, text, rooms):
    if path.endswith(CODE):
        for rule in (check_includes, check_namespace):
            yield from rule(path, text, rooms)
        for rule in (check_core, check_vendors, check_header):
            yield from rule(path, text)
    yield from check_name(path)
    yield from check_lengths(path, text)
    yield from check_words(path, text)


def check_subjects(subjects):
    for commit, subject in subjects:
        if subject.startswith(("Merge ", "Revert ")):
            continue
        if not COMMIT_SUBJECT.match(subject) or len(subject) > COMMIT_COLUMNS_MAX:
            yield Finding(commit, 0, "commit", f"'{subject}' is not 'room: what'")
