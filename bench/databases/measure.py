"""Waiting, and a figure in the form of bench/harness.hpp."""
import json
import statistics
import sys
import threading
import time

WAIT_SECONDS_MAX = 900


def wait_until(holds, what, is_near=lambda: True):
    """Returns the seconds until it held, counted to when it was asked. What is costly to ask is
    asked once the end is near, which must be cheap to tell: to ask takes no more than a twentieth
    of the time before that."""
    pause = threading.Event()
    began = time.monotonic()
    has_neared = False
    while True:
        asked = time.monotonic()
        has_neared = has_neared or is_near()
        if has_neared and holds():
            return asked - began
        if asked - began > WAIT_SECONDS_MAX:
            sys.exit(f"bench_databases: {what}: not in {WAIT_SECONDS_MAX} s")
        share = 1 if has_neared else 20
        pause.wait(max(0.01, share * (time.monotonic() - asked)))


def spread(values):
    return (max(values) - min(values)) / statistics.median(values)


def report(figure, what, unit, values, beside=None, beside_values=()):
    value = statistics.median(values)
    other = statistics.median(beside_values) if beside_values else None
    ratio = value / other if other else None
    print(json.dumps({"id": figure, "what": what, "value": round(value, 6), "unit": unit,
                      "beside": beside if other else None,
                      "beside_value": other and round(other, 6),
                      "ratio": ratio and round(ratio, 5), "spread": round(spread(values), 5),
                      "runs": len(values)}), flush=True)
    peer = f"   {ratio:5.2f} x {beside} ({other:,.4g})" if other else ""
    print(f"{figure:<28} {value:>12,.4g} {unit:<14} ±{spread(values) * 100:4.1f} %{peer}   {what}",
          file=sys.stderr, flush=True)
