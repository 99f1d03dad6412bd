#!/usr/bin/env python3
"""Settings by which records are stored are not changed behind them.

    settings_test.py PATH/TO/syncline
"""
import glob
import os
import unittest

import fixture

ATOMIC = ("[datasets.customer]\n", '[datasets.customer]\natomic = "sales"\n')
ON_SHOP = "[datasets.customer.on.shop]\n"
TABLE = ON_SHOP + 'table = "customer"\n'


class Settings(fixture.Appliance):
    def setUp(self):
        super().setUp()
        for path in (self.office, self.shop):
            self.write(path, "ALTER TABLE customer ADD COLUMN title TEXT",
                       "ALTER TABLE customer ADD COLUMN number INTEGER NOT NULL DEFAULT 0",
                       "CREATE UNIQUE INDEX by_number ON customer (number)")
        self.write(self.office, "INSERT INTO customer VALUES ('ann@x', 'Ann', 1, NULL, 1)")
        self.init()
        self.write(self.shop, "CREATE TABLE client (email TEXT PRIMARY KEY NOT NULL, name TEXT, "
                   "points INTEGER, title TEXT, number INTEGER)")
        self.start()
        self.wait_running()

    def wait_running(self):
        self.wait(lambda: self.status()["state"] == "running")
        self.expect_equal()

    def edit(self, name):
        self.write(self.office, f"UPDATE customer SET name = '{name}' WHERE email = 'ann@x'")

    def refuse_everywhere(self, before, after, *says, status=3, code="SYN-2003"):
        """By a reload, which leaves the running one as it is, by a resync, and by a start."""
        good = self.config()
        self.change_config(before, after)
        for arguments in (("reload",), ("reload", "--yes"),
                          ("resync", "--system", "shop", "--yes")):
            self.refuse(*arguments, status=status, code=code, says=says)
        self.edit("goes on")
        self.expect_equal()
        self.stop()
        self.refuse("run", status=status, code=code, says=says)
        self.set_config(good)
        self.start()
        self.edit("back")
        self.expect_equal()

    # A compiler of 80 MB, for instance, where that of a processor is installed.
    @unittest.skipUnless(glob.glob("/etc/OpenCL/vendors/pocl*.icd"), "no PoCL is installed")
    @unittest.skipIf(os.environ.get("SYNCLINE_E2E_ENGINE"), "another engine than auto's")
    def test_auto_keeps_no_opencl_driver_of_a_processor_in_memory(self):
        with open(f"/proc/{self.daemon.pid}/maps", encoding="utf-8") as maps:
            self.assertNotIn("pocl", maps.read())

    def test_an_atomic_group_that_is_added(self):
        self.refuse_everywhere(*ATOMIC, "'customer'", "`atomic`", "new data folder")

    def test_an_atomic_group_that_is_taken_out(self):
        self.stop()
        self.set_config(self.config().replace(*ATOMIC))
        self.change_config('"syncline-data"', '"other-data"')
        self.start()
        self.wait_running()
        self.refuse_everywhere(ATOMIC[1], ATOMIC[0], "'customer'", "`atomic`")

    def test_a_key_that_is_changed(self):
        before = 'customer]\nkey   = ["email"]'
        self.refuse_everywhere(before, before.replace("email", "number"), "'customer'",
                               status=4, code="SYN-3003")

    def expect_refused(self, before, after, *says):
        self.change_config(before, after)
        self.call("reload", "--yes")
        self.wait(lambda: self.status_of("shop")["state"] == "stopped")
        for words in ("SYN-3005", "'customer'", "'shop'", *says, "resync --system shop"):
            self.assertIn(words, self.status_of("shop")["error"])
        self.assertEqual(self.status_of("office")["state"], "running")

    def resync(self):
        self.call("resync", "--system", "shop", "--yes")
        self.wait(lambda: self.status_of("shop")["state"] == "running")

    def expect_refused_until_resync(self, before, after, *says):
        good = self.config()
        self.expect_refused(before, after, *says)
        changed = self.config()
        self.set_config(good)
        self.call("reload", "--yes")
        self.edit("back")
        self.expect_equal()
        self.set_config(changed)
        self.call("reload", "--yes")
        self.resync()

    def test_another_column(self):
        self.write(self.shop, "UPDATE customer SET title = 'Dr'")
        self.wait(lambda: self.rows(self.office) == self.rows(self.shop))
        self.expect_refused_until_resync(
            TABLE, TABLE + 'fields = { name = "title", title = "name" }\n', "columns")
        self.wait(lambda: self.rows(self.shop)[0][3] == "back")

    def test_another_table(self):
        self.write(self.shop, "INSERT INTO client VALUES ('bob@x', 'Bob', 2, NULL, 2)")
        self.expect_refused_until_resync(TABLE, TABLE.replace('"customer"', '"client"'), "table")
        self.wait(lambda: self.rows(self.office) == self.rows(self.shop, "client"))
        self.assertEqual([row[0] for row in self.rows(self.office)], ["ann@x", "bob@x"])

    def test_a_dataset_that_is_taken_out_and_put_back(self):
        """What was changed meanwhile is in no place of a log that is still to be read."""
        full = self.config()
        self.set_config(full[:full.index("[datasets.product]")])
        self.call("reload", "--yes")
        self.write(self.office, "INSERT INTO product VALUES ('p1', 'Pen')")
        self.edit("meanwhile")
        self.expect_equal()
        self.set_config(full)
        self.call("reload", "--yes")
        for system in ("office", "shop"):
            self.wait(lambda name=system: self.status_of(name)["state"] == "stopped")
            error = self.status_of(system)["error"]
            for words in ("SYN-3005", "'product'", "taken out", f"resync --system {system}"):
                self.assertIn(words, error)
        for system in ("office", "shop"):
            self.call("resync", "--system", system, "--yes")
        self.wait(lambda: self.rows(self.shop, "product") == [("p1", "Pen")])
        self.edit("after")
        self.expect_equal()

    def test_a_direction_that_is_widened(self):
        narrow = ON_SHOP + 'direction = "from"\n'
        self.change_config(ON_SHOP, narrow)
        self.call("reload")
        self.wait(lambda: self.status_of("shop")["state"] == "running")
        self.edit("unheard")
        self.wait(lambda: self.status()["state"] == "running")
        self.expect_refused(narrow, ON_SHOP, "written to")
        self.resync()
        self.expect_equal()
        self.assertEqual(self.rows(self.shop)[0][1], "unheard")


if __name__ == "__main__":
    unittest.main(verbosity=2)
