#!/usr/bin/env python3
"""Fills the disk under the data folder while users write and the daemon runs, starts and is killed;
makes room again, lets it settle, and has checker.py decide whether anything was lost.

    full_disk.py PATH/TO/syncline [--seed N] [--rounds N]

The disk is a tmpfs of its own, mounted in a mount namespace of its own. Exit 77, which ctest shows
as skipped, where this user may have neither. Environment: SYNCLINE_TORTURE_SEED (by the clock).
"""
import argparse
import errno
import os
import random
import subprocess
import sys
import tempfile
import time

import checker
import harness

ROUNDS = 6
DISK_SIZE = "48m"
BULK_ROWS = 2000
WRITERS_A_SIDE = 2
TRANSACTIONS_PER_SECOND = 40.0
NOTICE_SECONDS = 60
STORAGE_STATUS = 5       # docs/errors.md
NO_ROOM = "SYN-4003"
NOT_POSSIBLE = 77


class Disk:
    """A small disk, and a file that takes all that is left on it."""

    def __init__(self, path):
        self.path = path
        self.filler = os.path.join(path, "filler")
        os.mkdir(path)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE}", "none", path],
                       check=True)

    def fill(self):
        """Takes what is left, also what the daemon gave back since the last time."""
        with open(self.filler, "ab") as file:
            for size in (1 << 20, 1 << 16, 1 << 12):
                try:
                    while True:
                        os.write(file.fileno(), b"x" * size)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def free(self):
        if os.path.exists(self.filler):
            os.remove(self.filler)

    def unmount(self):
        subprocess.run(["umount", self.path], check=True)


class FullDisk:
    def __init__(self, syncline, folder, seed):
        self.dice = random.Random(seed)
        self.disk = Disk(os.path.join(folder, "disk"))
        self.office = harness.Office(syncline, folder, str(seed), BULK_ROWS, "disk/data")
        self.seen = {}

    def note(self, what):
        self.seen[what] = self.seen.get(what, 0) + 1

    def expect_no_room(self):
        """It says that there is no room: by its state, or by the way in which it ends."""
        deadline = time.monotonic() + NOTICE_SECONDS
        while time.monotonic() < deadline:
            self.disk.fill()
            ended = self.office.wait_for_end(harness.POLL_SECONDS)
            if ended is not None:
                words = self.office.last_words()
                if ended != STORAGE_STATUS or NO_ROOM not in words:
                    raise harness.Broken(f"0 full disk: it ended with {ended}: {words}")
                return self.note("ended with SYN-4003")
            if (self.office.ask("status") or {}).get("state") == "no room":
                return self.note("went on without room")
        raise harness.Broken(f"0 full disk: nothing noticed: {self.office.ask('status')}")

    def one_round(self):
        if self.office.daemon is None or self.office.daemon.poll() is not None:
            self.office.start()
        self.office.wait_until_running()
        ended = self.office.wait_for_end(self.dice.uniform(0.1, 1.0))
        if ended is not None:
            raise harness.Broken(f"13 stays alive: ended with {ended}: {self.office.last_words()}")
        self.disk.fill()
        self.expect_no_room()
        if self.dice.random() < 0.6:  # a start on a full disk, after a kill
            if self.office.daemon.poll() is None:
                self.office.kill()
            self.office.start()
            self.expect_no_room()
        self.disk.free()

    def run(self, rounds):
        try:
            self.office.start_writers(WRITERS_A_SIDE, TRANSACTIONS_PER_SECOND)
            for _ in range(rounds):
                self.one_round()
            if self.office.daemon.poll() is not None:
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
        found, counts = checker.run_as_program(self.office.folder)
        self.seen.update(counts)
        return found


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("syncline", type=os.path.abspath)
    parser.add_argument("--seed", type=int, default=int(
        os.environ.get("SYNCLINE_TORTURE_SEED") or time.time_ns() // 1_000_000 % 1_000_000_000))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    if "SYNCLINE_TORTURE_MOUNTS" not in os.environ:
        return in_own_mounts()
    print(f"replay: {sys.executable} {os.path.relpath(__file__)} "
          f"{os.path.relpath(options.syncline)} --seed {options.seed} --rounds {options.rounds}",
          flush=True)
    folder = tempfile.mkdtemp(prefix="syncline-full-disk-")
    torture = FullDisk(options.syncline, folder, options.seed)
    found = torture.run(options.rounds)
    print(torture.seen)
    if found:
        subprocess.run(["cp", "-a", torture.office.data, os.path.join(folder, "data")],
                       check=True)
        print("\n".join(found[:50]))
        print(f"BROKEN: {len(found)} times; everything is left in {folder}")
        return 1
    torture.disk.unmount()
    harness.remove(folder)
    return 0


def in_own_mounts():
    """Again, where mounts are seen by nobody else and go when it ends."""
    as_user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    unshare = ["unshare", "--mount", *as_user]
    if subprocess.run([*unshare, "mount", "-t", "tmpfs", "none", "/mnt"], check=False,
                      stderr=subprocess.DEVNULL).returncode != 0:
        print("not run: this user may not mount a tmpfs, not even in a namespace of its own")
        return NOT_POSSIBLE
    environment = dict(os.environ, SYNCLINE_TORTURE_MOUNTS="own")
    return subprocess.run([*unshare, sys.executable, *sys.argv], check=False,
                          env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
