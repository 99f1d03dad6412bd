#!/usr/bin/env python3
"""What may be wrong with the data folder: each case is named, and nothing is lost by it.

    storage_test.py PATH/TO/syncline
"""
import errno
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest

import fixture

# Runs `verify` and prints the KiB that it took at the most.
VERIFY = """
import resource, subprocess, sys
subprocess.run([sys.argv[1], "verify"], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


class DataFolder(fixture.Appliance):
    def setUp(self):
        super().setUp()
        self.write(self.office, "INSERT INTO customer VALUES ('ann@x', 'Ann', 1)")
        self.init()
        self.start()
        self.expect_equal()

    def data(self, *parts):
        return self.path(os.path.join("syncline-data", *parts))

    def segments(self):
        names = os.listdir(self.data("journal"))
        return sorted(self.data("journal", name) for name in names if name.endswith(".segment"))

    def go_on(self):
        """It starts again, and what was written meanwhile arrives."""
        self.write(self.office, "INSERT OR REPLACE INTO customer VALUES ('zoe@x', 'Zoe', 26)")
        self.start()
        self.wait(lambda: ("zoe@x", "Zoe", 26) in self.rows(self.shop))
        self.expect_equal()
        self.stop()
        self.call("audit", "verify")

    def test_a_second_daemon(self):
        told = self.refuse("run", status=5, code="SYN-4002", says=["process"])
        self.assertIn(str(self.daemon.pid), told)
        self.write(self.office, "UPDATE customer SET points = 2")
        self.expect_equal()
        self.stop()
        self.go_on()

    def flip(self, path, at, bit=0):
        with open(path, "r+b") as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 1 << bit]))

    def test_one_flipped_bit_in_the_journal_is_found_and_nothing_is_lost(self):
        for number in range(20):
            self.write(self.office, f"UPDATE customer SET points = {number}")
            self.expect_equal()
        self.kill()
        dice = random.Random(3)
        segment = self.segments()[-1]
        size = os.path.getsize(segment)
        found = 0
        for _ in range(12):
            at = dice.randrange(160, size - 200)  # not the last record, which only says "durable"
            bit = dice.randrange(8)
            self.flip(segment, at, bit)
            self.refuse("audit", "verify", status=5, code="SYN-4005",
                        says=[os.path.basename(segment)])
            self.launch()
            self.expect_end(5, "SYN-4005", os.path.basename(segment), "offset")
            self.flip(segment, at, bit)
            found += 1
        self.assertEqual(found, 12)
        self.go_on()

    def test_a_flipped_bit_in_an_older_segment_is_found_by_the_audit(self):
        self.stop()
        self.start()
        self.stop()
        segment = self.segments()[0]
        self.flip(segment, os.path.getsize(segment) // 2)
        self.refuse("audit", "verify", status=5, code="SYN-4005",
                    says=[os.path.basename(segment), "offset"])
        self.flip(segment, os.path.getsize(segment) // 2)
        self.call("audit", "verify")
        self.go_on()

    def test_a_missing_segment_is_found(self):
        self.stop()
        self.start()
        self.stop()
        os.rename(self.segments()[0], self.path("away"))
        self.refuse("audit", "verify", status=5, code="SYN-4005", says=["missing"])
        self.launch()
        self.expect_end(5, "SYN-4005", "missing")
        os.rename(self.path("away"), self.data("journal", "0000000001.segment"))
        self.go_on()

    def test_a_torn_tail_is_cut_and_reported(self):
        """As after a loss of power: bytes that were never confirmed stand at the end."""
        self.kill()
        with open(self.segments()[-1], "ab") as file:
            file.write(b"SLBK\x00\x10\x00\x00" + random.Random(1).randbytes(700))
        self.go_on()
        self.assertIn("unfinished tail was cut: 708 bytes", self.log())

    def test_a_key_that_is_lost_wrong_or_open_to_others(self):
        self.stop()
        os.rename(self.data("key"), self.path("key"))
        self.launch()
        self.expect_end(5, "SYN-4006")
        self.refuse("audit", "verify", status=5, code="SYN-4006")
        self.assertFalse(os.path.exists(self.data("key")), "it must not make another one")
        with open(self.data("key"), "wb") as file:
            file.write(random.Random(1).randbytes(32))
        os.chmod(self.data("key"), 0o600)
        self.launch()
        self.expect_end(5, "SYN-4006")
        os.replace(self.path("key"), self.data("key"))
        os.chmod(self.data("key"), 0o644)
        self.launch()
        self.expect_end(5, "SYN-4006", "chmod")
        os.chmod(self.data("key"), 0o600)
        self.go_on()

    def test_a_folder_of_another_format_or_another_number_of_lanes(self):
        self.stop()
        good = self.config()
        self.change_config("[appliance]", "[appliance]\nlanes = 16")
        self.refuse("run", status=5, code="SYN-4007", says=["lanes = 64"])
        self.set_config(good)
        with open(self.data("format"), encoding="utf-8") as file:
            text = file.read()
        with open(self.data("format"), "w", encoding="utf-8") as file:
            file.write(text.replace("format 5", "format 9"))
        self.refuse("run", status=5, code="SYN-4007", says=["format 9"])
        with open(self.data("format"), "w", encoding="utf-8") as file:
            file.write(text)
        self.go_on()

    def test_a_file_where_the_folder_should_be(self):
        self.stop()
        os.rename(self.data(), self.path("away"))
        with open(self.data(), "w", encoding="utf-8") as file:
            file.write("no folder")
        self.refuse("run", status=5, code="SYN-4001", says=["syncline-data"])
        os.remove(self.data())
        os.rename(self.path("away"), self.data())
        self.go_on()

    def test_an_older_copy_of_the_folder_is_refused(self):
        self.stop()
        shutil.copytree(self.data(), self.path("copy"))
        self.start()
        self.write(self.office, "UPDATE customer SET points = 2")
        self.expect_equal()
        self.stop()
        os.rename(self.data(), self.path("newer"))
        os.rename(self.path("copy"), self.data())
        self.launch()
        self.expect_end(4, "SYN-3005", "older copy")
        shutil.rmtree(self.data())
        os.rename(self.path("newer"), self.data())
        self.go_on()


class FullDisk(fixture.Appliance):
    STOP_SECONDS = 12

    def setUp(self):
        super().setUp()
        self.disk = self.path("syncline-data")
        os.mkdir(self.disk)
        mount = ["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", self.disk]
        if subprocess.run(mount, check=False, stderr=subprocess.DEVNULL).returncode != 0:
            shutil.rmtree(self.folder)
            self.skipTest("this user may not mount a tmpfs")

    def tearDown(self):
        self.end_daemon()
        subprocess.run(["umount", self.disk], check=True)
        super().tearDown()

    def take_all_room(self):
        with open(os.path.join(self.disk, "ballast"), "wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(1 << 16))
            except OSError as error:
                self.assertEqual(error.errno, errno.ENOSPC)

    def ask_for_repair(self):
        """A request whose answer nobody waits for."""
        control = socket.socket(socket.AF_UNIX)
        self.addCleanup(control.close)
        control.connect(os.path.join(self.disk, "control.sock"))
        control.sendall(json.dumps({"command": "repair", "dataset": "customer",
                                    "keys": [b"1@x".hex()]}).encode() + b"\n")

    def test_a_row_that_goes_nowhere_waits_for_room_to_be_quarantined(self):
        self.init()
        self.start()
        self.wait(lambda: self.status()["state"] == "running")
        self.take_all_room()
        self.write(self.office, "INSERT INTO customer VALUES ('bad@x', CAST(X'ff' AS TEXT), 1)",
                   "INSERT INTO customer VALUES ('good@x', 'Good', 2)")
        self.wait(lambda: "SYN-4" in self.log())
        os.remove(os.path.join(self.disk, "ballast"))
        self.wait(lambda: self.one(self.shop, "SELECT count(*) FROM customer WHERE points = 2"))
        self.wait(lambda: self.status()["quarantined"] == 1)

    def test_a_stop_is_obeyed_while_a_command_waits_for_room(self):
        self.init()
        self.start()
        self.wait(lambda: self.status()["state"] == "running")
        self.take_all_room()
        dice = random.Random(1)
        for number in range(40):
            self.write(self.office, f"INSERT INTO customer VALUES ('{number}@x', "
                                    f"'{dice.randbytes(100_000).hex()}', {number})")
        self.wait(lambda: "SYN-4" in self.log())
        self.ask_for_repair()
        begin = time.monotonic()
        self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait(timeout=fixture.SECONDS)
        self.assertLess(time.monotonic() - begin, self.STOP_SECONDS, self.log())
        os.remove(os.path.join(self.disk, "ballast"))
        self.start()
        self.expect_equal()


class WideRows(fixture.Appliance):
    """A table of documents of 200 KB, of which a few hundred are more than fits into memory."""
    ROWS = 1000
    # A device's memory may be this process's too: that of PoCL is.
    MEMORY_BYTES_MAX = (600 if fixture.ENGINE in ("auto", "cpu") else 1200) << 20

    def add_documents(self, first):
        self.write(self.office, f"WITH RECURSIVE n(i) AS (VALUES ({first}) UNION ALL SELECT i + 1 "
                                f"FROM n WHERE i < {first + self.ROWS - 1}) INSERT INTO document "
                                "SELECT i, hex(randomblob(100000)) FROM n")

    @staticmethod
    def memory_bytes_max(pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) << 10 for line in status if "VmHWM" in line)

    def expect_documents(self, count):
        have_come = "SELECT count(*) FROM document"
        self.wait(lambda: self.one(self.shop, have_come) == count)
        self.assertLess(self.memory_bytes_max(self.daemon.pid), self.MEMORY_BYTES_MAX)

    def test_memory_stays_small_however_wide_rows_are(self):
        for path in (self.office, self.shop):
            self.write(path, "CREATE TABLE document (id INTEGER PRIMARY KEY, body TEXT)")
        self.add_documents(1)
        self.init()
        self.start()
        self.expect_documents(self.ROWS)
        self.stop()
        self.add_documents(self.ROWS + 1)
        self.start()
        self.expect_documents(2 * self.ROWS)
        verify = subprocess.run([sys.executable, "-c", VERIFY, fixture.SYNCLINE],
                                cwd=self.folder, check=True, capture_output=True, text=True)
        self.assertLess(int(verify.stdout) << 10, self.MEMORY_BYTES_MAX)


class JournalLimit(fixture.Appliance):
    ROWS = 1500

    def fill(self, turn):
        """About a megabyte that nothing shrinks."""
        dice = random.Random(turn)
        user = fixture.connect(self.office)
        user.execute("BEGIN")
        user.executemany("INSERT OR REPLACE INTO customer VALUES (?, ?, ?)",
                         [(f"{number}@x", dice.randbytes(360).hex(), turn)
                          for number in range(self.ROWS)])
        user.execute("COMMIT")
        user.close()

    def test_the_slowest_system_loses_its_place_and_the_others_go_on(self):
        self.init()
        self.change_config('limit  = "16GiB"', 'limit  = "4MiB"\nsegment = "1MiB"')
        third = self.path("third.db")
        self.write(third, "PRAGMA journal_mode = WAL", *fixture.TABLES)
        text = self.config().replace("[datasets]", '[systems.third]\nkind = "sqlite"\nurl = '
                                     f'"{third}"\n\n[datasets]')
        self.set_config(text.replace('[datasets.customer.conflict]', '[datasets.customer.on.third]'
                                     '\ntable = "customer"\n\n[datasets.customer.conflict]'))
        self.start()
        self.fill(0)
        self.expect_equal()
        self.call("pause", "third")
        for turn in range(1, 16):
            self.fill(turn)
            self.wait(lambda now=turn: self.one(self.shop, "SELECT min(points) FROM customer")
                      == now)
        self.wait(lambda: self.status_of("third")["state"] == "needs plan")
        self.assertIn("syncline resync --system third", self.status_of("third")["error"])
        self.assertIn("SYN-3005", self.log())
        self.wait(lambda: self.status()["journal_size_bytes"] < 6 << 20)
        self.call("resume", "third")
        self.stop()  # at once: there is nothing to wait for
        self.start()
        self.assertEqual(self.status_of("third")["state"], "needs plan")
        self.fill(100)
        self.wait(lambda: self.one(self.shop, "SELECT min(points) FROM customer") == 100)
        self.call("resync", "--system", "third", "--yes")
        self.wait(lambda: self.rows(third) == self.rows(self.office))
        self.fill(101)
        self.wait(lambda: self.rows(third) == self.rows(self.office))
        self.assertEqual(self.status_of("third")["state"], "running")


if __name__ == "__main__":
    unittest.main(verbosity=2)
