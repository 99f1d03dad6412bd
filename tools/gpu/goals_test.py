#!/usr/bin/env python3
"""What goals.awk makes of a run's figures, by every awk of this machine.

    goals_test.py
"""
import json
import os
import shutil
import subprocess
import sys
import unittest

GOALS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "goals.awk")
AWKS = [awk for awk in ("awk", "mawk", "gawk", "busybox") if shutil.which(awk)]


def line(name, value, ratio=None, beside=None, what=""):
    return json.dumps({"id": "engines." + name, "what": what, "value": value, "unit": "x",
                       "beside": None, "beside_value": beside, "ratio": ratio, "spread": 0,
                       "runs": 9}, separators=(",", ":"))


def table(*lines):
    """What each row says behind its measure, which all awks say alike."""
    told = set()
    for awk in AWKS:
        command = [awk, "awk"] if awk == "busybox" else [awk]
        told.add(subprocess.run([*command, "-f", GOALS], input="\n".join(lines) + "\n", text=True,
                                capture_output=True, check=True).stdout)
    assert len(told) == 1, told
    return [(row[:4].strip(), row[60:72].strip(), row.rsplit("  ", 1)[1].strip())
            for row in told.pop().splitlines()[1:]]


class Goals(unittest.TestCase):
    def test_of_nothing_nothing_is_known(self):
        rows = table(line("cuda.stream", 1))
        self.assertEqual({met for _, _, met in rows}, {"not measured"})
        self.assertEqual({goal for goal, _, _ in rows}, {"G1", "G2", "G3", "G4", "G5", "G6", ""})

    def test_figures_are_compared_as_numbers(self):
        rows = table(line("cuda.small", 74.3, 3.0), line("cuda.detect", 9.5e9, 1.3),
                     line("cuda.aes.core", 1.6e11, 100.5), line("dispatcher", 0.89))
        found = {(goal, figure): met for goal, figure, met in rows if met != "not measured"}
        self.assertEqual(found, {("G6", "74.3"): "yes", ("G2", "1.30"): "no", ("G2", "9.5"): "yes",
                                 ("G3", "100.5"): "yes", ("G3", "160"): "yes", ("", "0.890"): "no"})

    def test_the_best_number_of_threads_counts(self):
        rows = table(*(line(f"cuda.whole.pinned.{threads}.bus", 1, ratio, 5e10)
                       for threads, ratio in ((1, 0.2), (4, 0.9), (8, 0.4))))
        self.assertIn(("G5", "90", "yes"), rows)

    def test_all_stages_need_the_bus_or_the_rate_of_frames(self):
        bus = line("cuda.whole.pinned.4.bus", 3e10, 0.5, 5e10)
        frames = line("cuda.frames.compress", 4e9, 2, 2e9, "zstd; 1.009 of libzstd -1's ratio")
        self.assertIn(("G5", "50", "no"), table(bus, frames, line("cuda.seal", 2e9, 2)))
        self.assertIn(("G5", "105", "yes"), table(bus, frames, line("cuda.seal", 4.2e9, 2)))
        self.assertIn(("G4", "1.009", "yes"), table(frames))


if __name__ == "__main__":
    sys.exit(unittest.main())
