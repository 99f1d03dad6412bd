"""The tables of docs/errors.md, from host/base/error.hpp: one definition, one copy made from it."""

import re

BEGIN = "<!-- from host/base/error.hpp by tools/tidy/check.py --write -->"
END = "<!-- end -->"


def tables(header):
    statuses = re.search(r"enum class ExitStatus : int \{(.*?)\};", header, re.DOTALL).group(1)
    numbers = {}
    lines = ["| exit status | name | when |", "|---|---|---|"]
    for name, number, note in re.findall(r"k(\w+) = (\d+),[ \t]*(?://[ \t]*([^\n]*))?", statuses):
        numbers[name] = number
        lines.append(f"| {number} | {name} | {note or default_note(name)} |")
    lines += ["", "| code | exit status | meaning |", "|---|---|---|"]
    pattern = r'SYN_CODE\(k(\w+), (\d+), k(\w+),\s*(?:\\\s*)?"([^"]*)"\)'
    for _, number, status, meaning in re.findall(pattern, header):
        lines.append(f"| SYN-{number} | {numbers[status]} | {meaning} |")
    return "\n".join(lines)


def default_note(name):
    return {"Ok": "all went well", "Internal": "a defect in Syncline itself"}[name]


def updated(page, header):
    """The page with its tables as the header wants them."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables(header)}\n{END}{after}"
