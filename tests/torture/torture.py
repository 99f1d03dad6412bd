#!/usr/bin/env python3
"""Kills the real daemon at random moments while users write to both its files; then lets it settle
and has checker.py, a program of its own, decide whether any promise was broken.

    torture.py PATH/TO/syncline [--seed N] [--kills N] [--seconds S] [--rate R] [--each N]
               [--only N]

It runs campaigns: each begins with fresh files and no data folder, is killed through its first
sync, and goes on being killed while it starts, recovers, runs and drains. The seed decides the
writers' changes, each campaign's order of moments and every delay; what the machine does in between
it cannot decide, so a replay hits nearby, not the same instruction. --only replays one campaign.

Environment, for longer runs: SYNCLINE_TORTURE_KILLS (300), SYNCLINE_TORTURE_SECONDS (240),
SYNCLINE_TORTURE_SEED (by the clock).
"""
import argparse
import collections
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

import checker
import harness

KILLS = 300
SECONDS = 240.0
KILLS_A_CAMPAIGN = 30
FIRST_SYNC_KILLS = 5
WRITERS_A_SIDE = 2
TRANSACTIONS_PER_SECOND = 30.0  # of each writer
BULK_ROWS = 6000
# How a kill is aimed, and how often.
MOMENTS = (("start", 20), ("recovery", 25), ("steady", 35), ("drain", 20))


def measure(syncline):
    """How long a first sync and a later start take here, in seconds: what delays are made of."""
    folder = tempfile.mkdtemp(prefix="syncline-torture-")
    measured = harness.Office(syncline, folder, "measure", BULK_ROWS)
    try:
        measured.start()
        first_sync = measured.wait_until_running()
        measured.kill()
        measured.start()
        return first_sync, measured.wait_until_running()
    finally:
        measured.end_all()
        harness.remove(folder)


class Campaign:
    def __init__(self, syncline, folder, seed, number, seconds, rate):
        self.dice = random.Random(f"{seed}/{number}")
        self.office = harness.Office(syncline, folder, f"{seed}/{number}", BULK_ROWS)
        self.first_sync_seconds, self.start_seconds = seconds
        self.rate = rate
        self.hits = collections.Counter()
        self.counts = {}

    def run(self, kills, deadline):
        """Kills, settles, checks. Returns what was broken."""
        try:
            self.office.start_writers(WRITERS_A_SIDE, self.rate)
            for number in range(kills):
                if time.monotonic() > deadline and self.office.is_live():
                    break
                self.kill_once(number)
            self.office.start()
            self.office.wait_until_running()
            self.office.stop_writers()
            self.office.settle()
            self.office.stop()
            self.office.audit()
        except harness.Broken as broken:
            return [str(broken)]
        finally:
            self.office.end_all()
        found, self.counts = checker.run_as_program(self.office.folder)
        return found

    def kill_once(self, number):
        if number < FIRST_SYNC_KILLS and not self.office.is_live():
            moment = "first sync"
        else:
            moment = self.dice.choices([name for name, _ in MOMENTS],
                                       [weight for _, weight in MOMENTS])[0]
        office = self.office
        office.start()
        ended = None
        if moment == "start":
            ended = office.wait_for_end(self.dice.uniform(0, 0.3) * self.start_seconds)
        elif moment == "recovery":
            ended = office.wait_for_end(self.dice.uniform(0.2, 1.1) * self.start_seconds)
        elif moment == "first sync":
            ended = office.wait_for_end(self.dice.uniform(0.1, 1.0) * self.first_sync_seconds)
        else:
            office.wait_until_running()
            ended = office.wait_for_end(self.dice.uniform(0, 0.6))
            if moment == "drain" and ended is None:
                office.daemon.send_signal(signal.SIGTERM)
                ended = office.wait_for_end(self.dice.uniform(0, 0.2))
                if ended == 0:
                    self.hits["drained before the kill"] += 1
                    return
        if ended is not None:
            raise harness.Broken(f"0 stays alive: the daemon ended with {ended} by itself in "
                                 f"moment '{moment}': {office.last_words()}")
        self.hits[office.moment_of_kill(moment)] += 1
        office.kill()


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("syncline", type=os.path.abspath)
    environment = os.environ.get
    parser.add_argument("--seed", type=int, default=int(
        environment("SYNCLINE_TORTURE_SEED") or time.time_ns() // 1_000_000 % 1_000_000_000))
    parser.add_argument("--kills", type=int,
                        default=int(environment("SYNCLINE_TORTURE_KILLS") or KILLS))
    parser.add_argument("--seconds", type=float,
                        default=float(environment("SYNCLINE_TORTURE_SECONDS") or SECONDS))
    parser.add_argument("--rate", type=float, default=TRANSACTIONS_PER_SECOND,
                        help="transactions a second of each writer")
    parser.add_argument("--each", type=int, default=KILLS_A_CAMPAIGN, help="kills a campaign")
    parser.add_argument("--only", type=int, help="this campaign alone")
    return parser.parse_args(arguments)


def main(arguments):
    options = parse(arguments)
    again = (f"{sys.executable} {os.path.relpath(__file__)} {os.path.relpath(options.syncline)} "
             f"--seed {options.seed} --kills {options.kills} --seconds {options.seconds:g} "
             f"--rate {options.rate:g} --each {options.each}")
    print("replay:", again, flush=True)
    deadline = time.monotonic() + options.seconds
    hits = collections.Counter()
    totals = collections.Counter()
    seconds = measure(options.syncline)
    left = options.kills
    number = 0
    while left > 0 and time.monotonic() < deadline:
        kills = min(left, options.each)
        if options.only is None or options.only == number:
            folder = tempfile.mkdtemp(prefix="syncline-torture-")
            campaign = Campaign(options.syncline, folder, options.seed, number, seconds,
                                options.rate)
            found = campaign.run(kills, deadline)
            hits.update(campaign.hits)
            if found:
                print("\n".join(found[:50]))
                print(f"BROKEN: {len(found)} times; everything is left in {folder}")
                print(f"replay: {again} --only {number}")
                return 1
            totals.update(campaign.counts)
            harness.remove(folder)
            print(f"campaign {number}: {sum(campaign.hits.values())} kills, "
                  f"{dict(campaign.hits)}, {campaign.counts}", flush=True)
        left -= kills
        number += 1
    killed = sum(count for name, count in hits.items() if not name.startswith("drained"))
    print(f"{killed} kills: {dict(hits)}; {dict(totals)}; nothing broken")
    missed = {name for name, _ in MOMENTS} | {"first sync"}
    missed -= hits.keys()
    if options.only is None and killed >= 2 * KILLS_A_CAMPAIGN and missed:
        print("no kill met:", ", ".join(sorted(missed)))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
