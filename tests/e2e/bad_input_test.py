#!/usr/bin/env python3
"""Bad inputs, each with a clear error, its code, the documented exit status, and nothing lost.

    bad_input_test.py PATH/TO/syncline
"""
import os
import unittest

import fixture

# What is changed in a good config, and what `check` says of it: code, place, words.
WRONG_CONFIGS = (
    ("engine =", "engin =", "SYN-2002", "syncline.toml:7:1", 'did you mean "engine"?'),
    (f'engine = "{fixture.ENGINE}"', 'engine = "cdua"', "SYN-2002", "syncline.toml:7:10",
     'did you mean "cuda"?'),
    ("[systems.shop]", "[systems.shpo]", "SYN-2002", "syncline.toml:", 'did you mean "shpo"?'),
    ('first = "office"', 'first = "offce"', "SYN-2002", "syncline.toml:", '"office"'),
    ('default = "newest"', 'default = "stop"', "SYN-5002", "syncline.toml:", "not"),
    ('default = "newest"', 'default = "newst"', "SYN-2002", "syncline.toml:", '"newest"'),
    ('delete  = "delete_wins"', 'delete  = "never"', "SYN-2002", "syncline.toml:", "update_wins"),
    ('retain = "7d"', 'retain = "7 moons"', "SYN-2003", "syncline.toml:10:", "7d"),
    ('limit  = "16GiB"', 'limit  = "1MiB"', "SYN-2003", "syncline.toml:", "limit"),
    ('key   = ["email"]', 'key   = []', "SYN-2003", "syncline.toml:", "key"),
    ('kind = "sqlite"', 'kind = "sqlight"', "SYN-2002", "syncline.toml:", "sqlite"),
    ("[appliance]", "[appliance", "SYN-2001", "syncline.toml:4:", ""),
    ('table = "customer"', 'table = "custmer"', "SYN-3003", "syncline.toml:",
     'did you mean "customer"?'),
)


class WrongConfig(fixture.Appliance):
    def test_every_error_has_its_place_and_its_cure(self):
        self.init()
        good = self.config()
        for before, after, code, place, cure in WRONG_CONFIGS:
            with self.subTest(after):
                self.assertIn(before, good)
                self.set_config(good.replace(before, after, 1))
                status = 4 if code.startswith("SYN-3") else 3
                errors = self.ask("check", expect=status)["errors"]
                self.assertTrue(any(error["code"] == code and place in error["what"] and
                                    cure in error["what"] + error["why"] + error["fix"]
                                    for error in errors), errors)
                self.assertIn("SYN-", self.call("run", expect=status).stderr)
                self.assertFalse(os.path.exists(self.path("syncline-data")))

    def test_all_errors_are_told_at_once(self):
        self.init()
        self.change_config("engine =", "engin =")
        self.change_config('retain = "7d"', 'retain = "7 moons"')
        self.assertEqual(len(self.ask("check", expect=3)["errors"]), 2)
        self.assertIn("and 1 more", self.call("run", expect=3).stderr)

    def test_no_config(self):
        self.refuse("run", "-c", "nothing.toml", status=3, code="SYN-2004", says=["nothing.toml"])


class UnreadableDatabase(fixture.Appliance):
    def expect_refusal(self, url, *says):
        """To look needs all systems; to run does not: the daemon waits for it, and says so."""
        self.set_config(self.good.replace(self.path("shop.db"), self.path(url)))
        self.refuse("plan", status=4, code="SYN-3001", says=[self.path(url), *says])
        self.assertFalse(os.path.exists(self.path("syncline-data")))
        self.start()
        shop = self.status_of("shop")
        self.assertEqual(shop["state"], "retrying")
        for words in ("SYN-3001", self.path(url), *says):
            self.assertIn(words, shop["error"])
        self.assertEqual(len(self.ask("status")["held"]), 2)
        self.assertIn('syncline_system_up{system="shop"} 0', self.metrics())
        self.stop()

    def setUp(self):
        super().setUp()
        self.init()
        self.good = self.config()

    def test_a_file_that_is_not_there(self):
        self.expect_refusal("nowhere.db", "does not create databases")
        self.assertFalse(os.path.exists(self.path("nowhere.db")))

    def test_a_folder_that_is_not_there(self):
        self.expect_refusal("nowhere/shop.db", "No such file")

    def test_a_folder(self):
        os.mkdir(self.path("folder"))
        self.expect_refusal("folder", "it is a folder")

    def test_a_file_that_is_no_database(self):
        with open(self.path("letter.txt"), "w", encoding="utf-8") as file:
            file.write("Dear Ann, this is a letter and no database.\n" * 100)
        self.expect_refusal("letter.txt", "not a SQLite database")

    def test_an_empty_database(self):
        with open(self.path("empty.db"), "wb"):
            pass
        self.set_config(self.good.replace("shop.db", "empty.db"))
        told = self.refuse("run", status=4, code="SYN-3003", says=["no tables"])
        self.assertIn("syncline.toml:", told)

    def test_one_that_goes_while_it_runs_is_waited_for(self):
        """The other system is read on, and all comes together when it is back."""
        self.start()
        self.wait(lambda: self.ask("status")["state"] == "running")
        for name in ("shop.db", "shop.db-wal", "shop.db-shm"):
            os.rename(self.path(name), self.path("away-" + name))
        self.write(self.office, "INSERT INTO customer VALUES ('ann@x', 'Ann', 1)")
        self.wait(lambda: self.status_of("shop")["state"] == "retrying")
        self.assertIn("SYN-3001", self.status_of("shop")["error"])
        self.wait(lambda: self.status_of("office")["rows_captured_total"] >= 1)
        for name in ("shop.db-shm", "shop.db-wal", "shop.db"):
            os.rename(self.path("away-" + name), self.path(name))
        self.expect_equal()
        self.wait(lambda: self.status_of("shop")["state"] == "running")


class Tables(fixture.Appliance):
    def test_a_table_without_a_key_is_refused_with_the_sql_that_mends_it(self):
        for path in (self.office, self.shop):
            self.write(path, "CREATE TABLE note (a TEXT, b TEXT)")
        self.init()
        self.assertIn("they have no key in common", self.config())
        self.set_config(self.config() + '\n[datasets.note]\nkey = ["a"]\nfirst = "office"\n'
                        '[datasets.note.on.office]\ntable = "note"\n'
                        '[datasets.note.on.shop]\ntable = "note"\n')
        told = self.refuse("run", status=4, code="SYN-3004", says=["CREATE UNIQUE INDEX"])
        self.assertRegex(told, r"syncline.toml:\d+:\d+")
        self.assertEqual(len(self.ask("check", expect=4)["errors"]), 2)

    def test_keys_that_the_other_side_takes_for_one_stop_the_plan(self):
        self.write(self.shop, "DROP TABLE customer",
                   "CREATE TABLE customer (email TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, "
                   "name TEXT, points INTEGER)")
        self.write(self.office, "INSERT INTO customer VALUES ('Ann@x', 'Ann', 1)",
                   "INSERT INTO customer VALUES ('ann@x', 'Anna', 2)")
        self.init()
        findings = self.ask("plan", expect=1)["findings"]
        stops = [found for found in findings if "would be one record" in found["what"]]
        self.assertEqual(len(stops), 1, findings)
        self.assertEqual((stops[0]["system"], stops[0]["dataset"], stops[0]["severity"]),
                         ("office", "customer", "stops"))
        self.assertIn("'email=Ann@x' and 'email=ann@x'", stops[0]["what"])
        self.assertIn("-- in shop:\nPRAGMA busy_timeout = 5000; PRAGMA ", stops[0]["fix"])
        self.assertIn("(email TEXT COLLATE BINARY PRIMARY KEY NOT NULL", stops[0]["fix"])
        self.assertIn("are one record, but two in office", self.call("verify", expect=1).stdout)
        self.write(self.office, "DELETE FROM customer WHERE email = 'ann@x'")
        self.assertNotIn("would be one record", self.call("plan", expect=1).stdout)

    def test_a_key_that_may_be_null_is_refused(self):
        for path in (self.office, self.shop):
            self.write(path, "CREATE TABLE note (a TEXT UNIQUE, b TEXT)")
        self.init()
        self.set_config(self.config() + '\n[datasets.note]\nkey = ["a"]\nfirst = "office"\n'
                        '[datasets.note.on.office]\ntable = "note"\n'
                        '[datasets.note.on.shop]\ntable = "note"\n')
        self.refuse("run", status=4, code="SYN-3004", says=["NOT NULL"])

    def test_a_column_that_goes_stops_its_dataset_alone(self):
        self.write(self.office, "INSERT INTO customer VALUES ('ann@x', 'Ann', 1)")
        self.init()
        self.start()
        self.expect_equal()
        self.write(self.office, "ALTER TABLE customer RENAME COLUMN points TO score",
                   "INSERT INTO product VALUES ('p1', 'Pen')")
        self.wait(lambda: self.phase_of("office", "customer")["phase"] == "stopped")
        self.assertIn("SYN-3003", self.phase_of("office", "customer")["error"])
        self.expect_rows("product", [("p1", "Pen")])
        self.write(self.office, "UPDATE customer SET score = 2",
                   "ALTER TABLE customer RENAME COLUMN score TO points")
        self.wait(lambda: self.phase_of("office", "customer")["phase"] == "live")
        self.expect_equal()
        self.assertEqual(self.rows(self.shop), [("ann@x", "Ann", 2)])

    def expect_rows(self, table, rows):
        self.wait(lambda: self.rows(self.shop, table) == rows)


class Values(fixture.Appliance):
    def setUp(self):
        super().setUp()
        self.write(self.office, "INSERT INTO customer VALUES ('ann@x', 'Ann', 1)")
        self.init()
        self.start()
        self.expect_equal()

    def expect_quarantine(self, count):
        self.wait(lambda: len(self.ask("quarantine", "list")) == count)
        return self.ask("quarantine", "list")

    def test_a_value_that_its_type_cannot_hold_waits_and_the_others_travel(self):
        self.write(self.office, "INSERT INTO customer VALUES ('bob@x', 'Bob', 'many')",
                   "INSERT INTO customer VALUES ('cy@x', x'ff00', 3)",
                   "INSERT INTO customer VALUES ('dan@x', 'Dan', 9223372036854775808)",
                   "INSERT INTO customer VALUES ('eva@x', 'Eva', 5)",
                   "INSERT INTO product VALUES ('p1', 'Pen')")
        listed = self.expect_quarantine(3)
        self.assertEqual({one["key"] for one in listed}, {"email=bob@x", "email=cy@x",
                                                          "email=dan@x"})
        self.assertTrue(all("SYN-3009" in one["reason"] and one["system"] == "office"
                            for one in listed))
        self.wait(lambda: ("eva@x", "Eva", 5) in self.rows(self.shop))
        self.wait(lambda: self.rows(self.shop, "product") == [("p1", "Pen")])
        self.assertEqual([row[0] for row in self.rows(self.shop)], ["ann@x", "eva@x"])

    def test_it_stays_in_quarantine_until_it_can_be_held(self):
        self.write(self.office, "INSERT INTO customer VALUES ('bob@x', 'Bob', 'many')")
        item = self.expect_quarantine(1)[0]["id"]
        self.refuse("quarantine", "retry", item, status=4, code="SYN-3009", says=["bob@x"])
        self.expect_quarantine(1)
        self.write(self.office, "UPDATE customer SET points = 2 WHERE email = 'bob@x'")
        self.expect_equal()
        self.call("quarantine", "retry", item)
        self.expect_quarantine(0)

    def test_a_record_with_such_a_value_is_not_gone(self):
        """The table is read whole, because a trigger of ours went: nobody deleted the record."""
        self.write(self.office, "UPDATE customer SET points = 'many'")
        self.expect_quarantine(1)
        self.write(self.office, "DROP TRIGGER syncline_customer_insert",
                   "INSERT INTO customer VALUES ('bob@x', 'Bob', 2)")
        self.wait(lambda: ("bob@x", "Bob", 2) in self.rows(self.shop))
        self.assertIn(("ann@x", "Ann", 1), self.rows(self.shop))
        self.write(self.office, "UPDATE customer SET points = 3 WHERE email = 'ann@x'")
        self.expect_equal()
        self.assertIn(("ann@x", "Ann", 3), self.rows(self.shop))


if __name__ == "__main__":
    unittest.main(verbosity=2)
