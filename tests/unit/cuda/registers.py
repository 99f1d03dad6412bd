#!/usr/bin/env python3
"""Holds what ptxas said of each CUDA kernel against its limits: nothing is spilled, and no more
registers are taken than leave room for the warps that the kernel is laid out for.

    registers.py CAPABILITIES REPORT...      registers.py "80;90" build/release/kernels/cuda/*.ptxas

Prints the table. Exit status 1 where a limit is not held, a kernel has none, or a report lacks one.
"""
import re
import sys

# Registers a thread, of a processor's 65,536: with 64 it holds 32 warps, with 48 it holds 40, with
# 40 it holds 48, with 32 all 64. With the 168 of compress_pieces it holds 12, as many as its shared
# memory, 18 KB a warp, leaves room for.
LIMITS = {
    "fingerprint_keys": 64,
    "fingerprint_cells": 40,
    "detect_narrow": 48,
    "detect_wide": 48,
    "fill_slots": 32,
    "apply_deltas": 32,
    "place_parts": 32,
    "run_records": 64,
    "join_parts": 64,
    "compress_pieces": 168,
    "decompress_frames": 64,
    "gather_bytes": 32,
    "list_pieces": 32,
    "take_sizes": 32,
}
ENTRY = re.compile(
    r"Compiling entry function '(\w+)' for 'sm_(\d+)'.*?(\d+) bytes stack frame, "
    r"(\d+) bytes spill stores, (\d+) bytes spill loads.*?Used (\d+) registers", re.S)


def kernel_of(mangled):
    """Its name, without namespaces, arguments and what a template was made for."""
    return next((name for name in LIMITS if f"{len(name)}{name}" in mangled), None)


def read(paths):
    """By kernel and capability the worst of all that a template was made for."""
    worst, unknown = {}, set()
    for path in paths:
        with open(path, encoding="utf-8") as report:
            for mangled, capability, *numbers in ENTRY.findall(report.read()):
                name = kernel_of(mangled)
                if name is None:
                    unknown.add(mangled)
                    continue
                stack, stores, loads, registers = map(int, numbers)
                entry = (registers, stores + loads, stack)
                key = (name, capability)
                worst[key] = tuple(map(max, zip(worst.get(key, entry), entry)))
    return worst, unknown


def findings(worst, unknown, capabilities):
    for mangled in sorted(unknown):
        yield f"{mangled} has no limit: give it one in tests/unit/cuda/registers.py"
    for name, limit in LIMITS.items():
        for capability in capabilities:
            registers, spilled, _ = worst.get((name, capability), (None, 0, 0))
            if registers is None:
                yield f"{name} is in no report for sm_{capability}"
            elif registers > limit:
                yield f"{name} for sm_{capability} takes {registers} registers, above its {limit}"
            if spilled:
                yield f"{name} for sm_{capability} spills {spilled} bytes"


def main(capabilities, *paths):
    capabilities = capabilities.split(";")
    worst, unknown = read(paths)
    print(f"{'kernel':20}{'sm':>4}{'registers':>11}{'limit':>7}{'spilled':>9}{'stack':>7}")
    for (name, capability), (registers, spilled, stack) in sorted(worst.items()):
        print(f"{name:20}{capability:>4}{registers:11}{LIMITS[name]:7}{spilled:9}{stack:7}")
    found = list(findings(worst, unknown, capabilities))
    for finding in found:
        print("registers: " + finding)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
