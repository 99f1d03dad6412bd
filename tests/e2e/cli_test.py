#!/usr/bin/env python3
"""The real program against real SQLite files, as a user would run it by hand.

    cli_test.py PATH/TO/syncline
"""
import json
import random
import subprocess
import threading
import unittest

import fixture


class FromInitToDetach(fixture.Appliance):
    def test_from_two_files_to_a_running_sync(self):
        self.write(self.office, "INSERT INTO customer VALUES ('ann@x', 'Ann', 1)",
                   "INSERT INTO customer VALUES ('bob@x', 'Bob', 2)")
        self.write(self.shop, "INSERT INTO customer VALUES ('bob@x', 'Rob', 2), ('cy@x', 'Cy', 3)")
        self.init()
        self.call("check")
        plan = self.ask("plan")["datasets"][0]
        self.assertEqual((plan["update"], plan["equal"]), (1, 0))
        self.assertEqual([(one["system"], one["create"]) for one in plan["systems"]],
                         [("office", 1), ("shop", 1)])
        self.start()
        self.expect_equal()
        self.assertEqual(self.rows(self.shop)[1], ("bob@x", "Bob", 2))
        self.write(self.shop, "UPDATE customer SET name = 'Anna' WHERE email = 'ann@x'",
                   "DELETE FROM customer WHERE email = 'cy@x'")
        self.wait(lambda: self.rows(self.office) == [("ann@x", "Anna", 1), ("bob@x", "Bob", 2)])
        self.assertEqual(self.ask("conflicts", "list")[0]["type"], "insert_exists")
        status = self.status()
        self.assertEqual(status["state"], "running")
        ran = {engine["name"]: engine["batches_total"] for engine in status["engines"]}
        self.assertGreater(ran["cpu" if fixture.ENGINE == "auto" else fixture.ENGINE], 0)
        self.stop()
        self.call("audit", "verify")
        self.call("detach", "--system", "office", "--yes")
        self.assertEqual(self.one(self.office, "SELECT count(*) FROM sqlite_master WHERE name LIKE "
                                               "'syncline%'"), 0)

    def test_a_killed_daemon_loses_nothing_and_doubles_nothing(self):
        self.init()
        dice, last = random.Random(7), {}
        stopping = threading.Event()

        def write(path, side):
            user, chooser = fixture.connect(path), random.Random(side)
            number = 0
            while not stopping.wait(0.002):
                number += 1
                key = f"{side}-{chooser.randrange(40)}@x"
                user.execute("INSERT INTO customer VALUES (?, ?, 0) ON CONFLICT (email) DO UPDATE "
                             "SET name = excluded.name, points = points + 1", (key, str(number)))
                last[key] = str(number)
            user.close()

        writers = [threading.Thread(target=write, args=(self.office, "office")),
                   threading.Thread(target=write, args=(self.shop, "shop"))]
        for writer in writers:
            writer.start()
        try:
            for _ in range(15):
                self.start()
                threading.Event().wait(dice.uniform(0.0, 0.5))
                self.kill()
            self.start()
        finally:
            stopping.set()
            for writer in writers:
                writer.join()
        self.expect_equal()
        self.assertEqual({email: name for email, name, _ in self.rows(self.shop)}, last)
        self.stop()
        self.call("audit", "verify")

    def test_a_first_sync_that_is_killed_goes_on_and_misses_nothing(self):
        user = fixture.connect(self.office)
        user.execute("BEGIN")
        user.executemany("INSERT INTO customer VALUES (?, 'Ann', 1)",
                         [(f"{number:06d}@x",) for number in range(60_000)])
        user.execute("COMMIT")
        user.close()
        self.init()
        self.launch()
        self.wait(lambda: self.one(self.shop, "SELECT count(*) FROM customer") > 0)
        self.kill()
        self.assertLess(self.one(self.shop, "SELECT count(*) FROM customer"), 60_000,
                        "the kill came too late to show anything: make the table larger")
        self.write(self.office, "DELETE FROM customer WHERE email = '000001@x'",
                   "DELETE FROM customer WHERE email = '059999@x'",
                   "UPDATE customer SET name = 'Anna' WHERE email IN ('000002@x', '059998@x')")
        self.start()
        self.wait(lambda: self.status()["state"] == "running")
        self.expect_equal()
        self.assertEqual(self.one(self.shop, "SELECT count(*) FROM customer"), 59_998)
        self.assertEqual(self.one(self.shop, "SELECT count(*) FROM customer WHERE name = 'Anna'"),
                         2)

    def test_a_long_first_sync_that_is_killed_goes_on_where_it_was(self):
        """Near there: what was durable is not read again, and nothing before it is forgotten."""
        count = 400_000
        user = fixture.connect(self.office)
        user.execute("INSERT INTO customer WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT "
                     f"i + 1 FROM n WHERE i < {count - 1}) SELECT printf('%06d@x', i), 'Ann', 1 "
                     "FROM n")
        user.close()
        self.init()
        self.launch()
        self.wait(lambda: self.rows_read() > 280_000, seconds=120)
        self.kill()
        self.write(self.office, "DELETE FROM customer WHERE email IN ('000001@x', '399998@x')",
                   "UPDATE customer SET name = 'Anna' WHERE email IN ('000002@x', '399997@x')")
        self.start()
        self.wait(lambda: self.status()["state"] == "running", seconds=120)
        self.assertIn("goes on behind", self.log())
        self.assertLess(self.status_of("office")["rows_captured_total"], count - 200_000)
        self.wait(lambda: self.one(self.shop, "SELECT count(*) FROM customer") == count - 2,
                  seconds=120)
        self.expect_equal()
        self.assertEqual(self.one(self.shop, "SELECT count(*) FROM customer WHERE name = 'Anna'"),
                         2)

    def rows_read(self):
        done = subprocess.run([fixture.SYNCLINE, "status", "--json"], cwd=self.folder,
                              capture_output=True, text=True, check=False)
        told = json.loads(done.stdout) if done.returncode == 0 else {}
        return told.get("first_sync", {}).get("rows", 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
