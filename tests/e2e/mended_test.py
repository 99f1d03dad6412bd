#!/usr/bin/python3
"""What plan, check and doctor print is run as it is printed, in the sqlite3 shell.

    mended_test.py PATH/TO/syncline
"""
import os
import re
import shutil
import sqlite3
import subprocess
import unittest

import fixture

ROUNDS_MAX = 20
OBJECTS = ("SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger', 'view') "
           "AND sql IS NOT NULL ORDER BY name")
LINES = ("CREATE TABLE line (id TEXT PRIMARY KEY NOT NULL, item TEXT REFERENCES item (code) "
         "ON DELETE CASCADE, amount INTEGER)")


class Mended(fixture.Appliance):
    def mend(self, path, sql):
        """As a user would who takes it from the screen into the shell; its errors."""
        done = subprocess.run(["sqlite3", path], input=sql, capture_output=True, text=True,
                              timeout=60, check=False)
        return done.stderr

    def findings(self):
        return self.ask("plan", expect=None)["findings"]

    def objects(self, path):
        user = fixture.connect(path)
        found = {row[1]: row for row in user.execute(OBJECTS)}
        user.close()
        return found

    def mend_all(self):
        """What was found, until nothing is left that SQL can mend. One script mends a table."""
        told = set()
        for _ in range(ROUNDS_MAX):
            left = [one for one in self.findings() if one["fix"].startswith(
                ("PRAGMA ", "BEGIN", "CREATE ", "INSERT ", "-- in "))]
            if not left:
                return told
            one = left[0]
            told.update((found["system"], found["what"]) for found in left)
            path = self.path(one["system"] + ".db")
            for system in ("office", "shop"):
                if one["fix"].startswith(f"-- in {system}:"):
                    path = self.path(system + ".db")
            self.assertEqual(self.mend(path, one["fix"]), "", one)
        self.fail(f"it does not end: {left}")

    def test_all_that_plan_prints_until_it_is_content(self):
        self.write(self.office, "PRAGMA journal_mode = DELETE", LINES,
                   "CREATE TABLE item (code TEXT COLLATE NOCASE PRIMARY KEY, name STRING, price "
                   "DECIMAL(20,2) DEFAULT ('1, 2'), -- a comment;\n owner TEXT NOT NULL CHECK "
                   "(owner <> 'NOT NULL'))",
                   "CREATE INDEX by_name ON item (name COLLATE NOCASE) WHERE name IS NOT NULL",
                   "CREATE UNIQUE INDEX once ON item (lower(name))",
                   "CREATE VIEW seen AS SELECT code FROM item",
                   "CREATE TABLE audit (id INTEGER PRIMARY KEY, what TEXT)",
                   "CREATE TRIGGER told AFTER UPDATE ON item BEGIN\n"
                   "  INSERT INTO audit(what) VALUES (NEW.code || ';'); -- kept\nEND")
        self.write(self.shop, LINES,
                   "CREATE TABLE item (code TEXT PRIMARY KEY, name TEXT, price DECIMAL(9,4))")
        self.write(self.office, "INSERT INTO item VALUES ('a', 'Pen', 1.5, 'me')",
                   "INSERT INTO item VALUES (NULL, 'Ink', 2.5, 'me')",
                   "INSERT INTO line VALUES ('l', 'a', 3)")
        self.init()
        self.change_config('table = "item"\n', 'table = "item"\ntriggers = "guarded"\n')
        before = self.objects(self.office)
        told = "\n".join(f"{system} {what}" for system, what in self.mend_all())
        for words in ("office " + self.office + " is in journal mode delete",
                      "office column name (STRING)", "office column owner of item is not synced",
                      "office key column code of item is NULL in 1 row",
                      "shop key column code tells keys apart",
                      "office item has a unique index on an expression (once)",
                      "office trigger told on item fires"):
            self.assertIn(words, told)
        self.assertNotIn("stops", [one["severity"] for one in self.findings()
                                   if one["dataset"] == "item"])
        after = self.objects(self.office)
        for name in ("by_name", "seen"):
            self.assertEqual(before[name], after[name])
        self.assertIn("-- kept", after["told"][2])
        self.assertEqual(self.one(self.office, "SELECT count(*) FROM item"), 2)
        self.assertEqual(self.one(self.office, "SELECT count(*) FROM line"), 1)
        self.assertEqual(self.one(self.office, "PRAGMA integrity_check"), "ok")

    def test_decimals_that_both_files_keep_as_doubles_lose_nothing(self):
        gauge = "CREATE TABLE gauge (id TEXT PRIMARY KEY NOT NULL, price DECIMAL"
        for path in (self.office, self.shop):
            self.write(path, gauge + "(20,2))")
        self.init()
        self.assertEqual(self.findings_of("gauge"), [])
        self.start()
        self.write(self.office, "INSERT INTO gauge VALUES ('a', 1234567890123.25)",
                   "INSERT INTO gauge VALUES ('b', 123456789012345678)")
        self.expect_equal("gauge")
        self.assertEqual(self.ask("quarantine", "list"), [])
        self.stop()
        self.write(self.shop, "DROP TABLE gauge", gauge + " TEXT(20,2))")
        told = [one["system"] for one in self.findings_of("gauge") if "15 digits" in one["what"]]
        self.assertEqual(told, ["office"])
        self.change_config('[datasets.gauge.on.shop]', '[datasets.gauge.on.shop]\n'
                           'direction = "to"')
        self.assertEqual([one for one in self.findings_of("gauge") if "15 digits" in one["what"]],
                         [])

    def test_a_column_that_one_file_lacks_is_added_by_the_sql_that_is_printed(self):
        self.write(self.office, "CREATE TABLE gauge (id TEXT PRIMARY KEY NOT NULL, seen "
                                "DATETIME(3), price DECIMAL(20,2), ok BOOLEAN)")
        self.write(self.shop, "CREATE TABLE gauge (id TEXT PRIMARY KEY NOT NULL) STRICT")
        self.init()
        for statement in re.findall("with one it would: (ALTER .*?;)\n", self.call("plan").stdout):
            self.assertEqual(self.mend(self.shop, statement), "")
        self.assertNotIn("does not travel", self.call("plan").stdout)
        self.assertEqual(self.one(self.shop, "SELECT group_concat(name || ' ' || type) FROM "
                                             "pragma_table_info('gauge')"),
                         "id TEXT,seen TEXT,price TEXT,ok INTEGER")
        self.change_config('[datasets.gauge.on.shop]\ntable = "gauge"\n',
                           '[datasets.gauge.on.shop]\ntable = "gauge"\n'
                           'fields = { seen = "looked" }\n')
        fix = self.ask("check", expect=4)["errors"][0]["fix"]
        self.assertEqual(self.mend(self.shop, fix), "")
        self.call("check")

    def test_tables_without_a_key_are_given_one(self):
        for path in (self.office, self.shop):
            self.write(path, "CREATE TABLE note (a TEXT, b TEXT)",
                       "INSERT INTO note VALUES ('x', 'kept')")
        self.init()
        self.set_config(self.config() + '\n[datasets.note]\nkey = ["a"]\nfirst = "office"\n'
                        '[datasets.note.on.office]\ntable = "note"\n'
                        '[datasets.note.on.shop]\ntable = "note"\n')
        errors = self.ask("check", expect=4)["errors"]
        for path, error in zip((self.office, self.shop), errors, strict=True):
            self.assertEqual(self.mend(path, error["fix"]), "")
            self.assertEqual(self.rows(path, "note"), [("x", "kept")])
        self.call("check")
        self.call("plan")

    def test_a_key_that_is_coarser_than_the_config_wants_is_made_finer(self):
        self.write(self.shop, "DROP TABLE customer", "CREATE TABLE customer (email TEXT PRIMARY "
                   "KEY COLLATE NOCASE NOT NULL, name TEXT, points INTEGER)",
                   "INSERT INTO customer VALUES ('Ann@x', 'Ann', 1)")
        self.init()
        self.change_config('key   = ["email"]', 'key = ["email"]\nkey_equivalence = "bytes"')
        error = self.ask("check", expect=4)["errors"][0]
        self.assertIn("is finer than its systems", error["what"])
        self.assertEqual(self.mend(self.shop, error["fix"]), "")
        self.call("check")
        self.write(self.shop, "INSERT INTO customer VALUES ('ann@x', 'Anna', 2)")
        self.assertEqual(self.findings_of("customer"), [])

    def test_what_fails_in_the_middle_leaves_the_table(self):
        """The shell goes on behind an error, but not within a line."""
        self.write(self.office, "CREATE TABLE note (a TEXT, b TEXT)",
                   "INSERT INTO note VALUES (NULL, 'kept')")
        self.write(self.shop, "CREATE TABLE note (a TEXT PRIMARY KEY NOT NULL, b TEXT)")
        self.init()
        self.set_config(self.config() + '\n[datasets.note]\nkey = ["a"]\nfirst = "office"\n'
                        '[datasets.note.on.office]\ntable = "note"\n'
                        '[datasets.note.on.shop]\ntable = "note"\n')
        fix = self.ask("check", expect=4)["errors"][0]["fix"]
        self.assertIn("NOT NULL constraint failed", self.mend(self.office, fix))
        self.assertEqual(self.rows(self.office, "note"), [(None, "kept")])
        self.write(self.office, "UPDATE note SET a = 'x'", "ALTER TABLE note ADD COLUMN c")
        self.assertIn("is not as it was: ask `syncline plan` again", self.mend(self.office, fix))
        self.assertEqual(self.rows(self.office, "note"), [("x", "kept", None)])

    def test_a_column_that_holds_less_than_anothers_is_widened(self):
        self.write(self.office, "CREATE TABLE gauge (id TEXT PRIMARY KEY NOT NULL, price "
                                "DECIMAL(9,2) CHECK (price > 0), seen DATETIME(0))",
                   "INSERT INTO gauge VALUES ('a', 1.5, '2026-01-05 10:00:00')")
        self.write(self.shop, "CREATE TABLE gauge (id TEXT PRIMARY KEY NOT NULL, price "
                              "DECIMAL TEXT(20,4), seen DATETIME)")
        self.init()
        self.assertEqual({what.split(":")[0] for _, what in self.mend_all()},
                         {"field price", "field seen"})
        self.assertEqual(self.findings_of("gauge"), [])
        self.start()
        last = ("b", "1234567890123456.0625", "2026-01-05 10:00:00.000125")
        self.write(self.shop, f"INSERT INTO gauge VALUES {last}")
        self.wait(lambda: self.rows(self.office, "gauge")[1:] == [last])
        self.assertTrue(self.ask("verify")["is_equal"])

    def test_a_table_made_anew_while_it_is_synced_goes_on_after_the_resync_that_is_named(self):
        gauge = "CREATE TABLE gauge (id TEXT PRIMARY KEY NOT NULL, price DECIMAL"
        self.write(self.office, gauge + "(20,2), code TEXT)",
                   "INSERT INTO gauge VALUES ('a', 1.5, 'x')")
        self.write(self.shop, gauge + " TEXT(20,2), code STRING)",
                   "INSERT INTO gauge VALUES ('a', '1.5', 'x')")
        self.init()
        self.start()
        self.wait(lambda: self.ask("verify", expect=None)["is_equal"])
        fix = next(one["fix"] for one in self.findings_of("gauge") if one["system"] == "office")
        self.assertEqual(self.mend(self.office, fix), "")
        self.write(self.office, "INSERT INTO gauge VALUES ('b', '123456789012345678.25', NULL)")
        self.wait(lambda: self.phase_of("office", "gauge")["phase"] == "stopped")
        found = [one for one in self.ask("doctor", expect=1)["findings"]
                 if one["about"] == "office.gauge" and one["severity"] == "stops"]
        self.call(*re.search("`syncline (.*?)`", found[0]["what"])[1].split())
        self.wait(lambda: self.phase_of("office", "gauge")["phase"] == "live")
        fix = next(one["fix"] for one in self.findings_of("gauge") if one["system"] == "shop")
        self.assertEqual(self.mend(self.shop, fix), "")
        self.wait(lambda: self.phase_of("shop", "gauge")["phase"] == "stopped")
        self.call("resync", "--system", "shop", "--yes")
        self.wait(lambda: self.rows(self.shop, "gauge")[1:] ==
                  [("b", "123456789012345678.25", None)])
        self.write(self.shop, "UPDATE gauge SET price = '2.25' WHERE id = 'b'")
        self.expect_equal("gauge")

    def test_a_unique_key_that_one_file_lacks_is_named_and_made(self):
        """As often as it is asked, in either direction: what is legal here is refused there."""
        gauge = "CREATE TABLE gauge (id TEXT PRIMARY KEY NOT NULL, mail TEXT, room INTEGER"
        self.write(self.office, gauge + ", UNIQUE (mail COLLATE NOCASE))",
                   "INSERT INTO gauge VALUES ('a', 'x', 1)")
        self.write(self.shop, gauge + ")", "CREATE UNIQUE INDEX rooms ON gauge (room)",
                   "INSERT INTO gauge VALUES ('a', 'x', 1)")
        self.init()
        found = self.findings_of("gauge")
        self.assertEqual([(one["system"], one["severity"], one["what"].split(":")[0])
                          for one in found],
                         [("office", "warning",
                           "(room) is unique in shop.gauge, not in office.gauge"),
                          ("shop", "warning",
                           "(mail) is unique in office.gauge, not in shop.gauge")])
        self.assertIn('-- or, in shop: DROP INDEX main."rooms";', found[0]["fix"])
        self.assertIn("upper and lower case", found[1]["what"])
        self.assertIn("-- or, in office: make the table anew without UNIQUE (\"mail\")",
                      found[1]["fix"])
        self.mend_all()
        self.assertEqual(self.findings_of("gauge"), [])
        for path in (self.office, self.shop):
            self.assertEqual(self.rows(path, "gauge"), [("a", "x", 1)])
            for row in ("'b', 'X', 2", "'b', 'y', 1"):
                with self.assertRaises(sqlite3.IntegrityError):
                    self.write(path, f"INSERT INTO gauge VALUES ({row})")

    def test_a_unique_key_that_one_file_takes_more_for_one_in_is_named(self):
        gauge = "CREATE TABLE gauge (id TEXT PRIMARY KEY NOT NULL, mail TEXT"
        self.write(self.office, gauge + " UNIQUE COLLATE NOCASE)")
        self.write(self.shop, gauge + " UNIQUE)")
        self.init()
        found = self.findings_of("gauge")
        self.assertEqual([(one["system"], one["severity"]) for one in found],
                         [("shop", "warning")])
        self.assertIn("(mail) takes more values for one in office.gauge than in shop.gauge",
                      found[0]["what"])
        self.assertEqual(self.mend(self.shop, found[0]["fix"]), "")
        self.assertEqual(self.findings_of("gauge"), [])

    def findings_of(self, dataset):
        return [one for one in self.findings() if one["dataset"] == dataset]


class Doctor(fixture.Appliance):
    def told(self, words):
        return [one for one in self.ask("doctor", expect=None)["findings"] if words in one["what"]]

    def restore(self):
        """As it was, in another file; the appliance may be running."""
        for end in ("-wal", "-shm"):
            if os.path.exists(self.office + end):
                os.remove(self.office + end)
        shutil.copy(self.path("backup.db"), self.path("restored.db"))
        os.replace(self.path("restored.db"), self.office)

    def test_a_file_that_is_restored_again_and_again_is_named_with_the_command(self):
        self.init()
        self.start()
        self.write(self.office, "INSERT INTO customer VALUES ('ann@x', 'Ann', 1)")
        self.expect_equal()
        self.stop()
        subprocess.run(["sqlite3", self.office, f"VACUUM INTO '{self.path('backup.db')}'"],
                       check=True, timeout=60)
        self.start()
        self.write(self.office, "INSERT INTO customer VALUES ('bob@x', 'Bob', 2)")
        self.expect_equal()
        self.stop()
        self.restore()
        found = [one["about"] for one in self.told("but an older copy of it")]
        self.assertEqual(found, ["office"])  # while nothing runs
        plan = self.ask("plan", expect=None)["findings"]
        self.assertIn(("office", "note"), [(one["system"], one["severity"]) for one in plan])
        self.start()
        self.wait(lambda: "'office' went back" in self.log())  # it is mended without anybody
        self.expect_equal()
        self.wait(lambda: self.status_of("office")["state"] == "running")
        self.restore()
        self.wait(lambda: self.status_of("office")["state"] == "stopped")
        found = self.told("SYN-3013")
        self.assertEqual([(one["about"], one["severity"]) for one in found], [("office", "stops")])
        command = re.search("`syncline (.*?)`", found[0]["what"])[1]
        self.call(*command.split())
        self.expect_equal()
        self.assertEqual(self.told("SYN-3013"), [])
        self.assertEqual(self.told("an older copy"), [])
        self.stop()
        self.assertEqual(self.told("an older copy"), [])

    def test_a_look_for_a_restored_file_leaves_the_folder_as_it_is(self):
        self.init()
        self.start()
        self.write(self.office, "INSERT INTO customer VALUES ('ann@x', 'Ann', 1)")
        self.expect_equal()
        self.kill()  # what is known is behind then
        before = sorted(os.listdir(self.path("syncline-data")))
        self.assertEqual(self.told("an older copy"), [])
        self.call("plan")
        self.assertEqual(sorted(os.listdir(self.path("syncline-data"))), before)
        self.start()
        self.stop()
        self.assertIn("places.json", os.listdir(self.path("syncline-data")))
        self.write(self.office, "INSERT INTO customer VALUES ('bob@x', 'Bob', 2)")
        self.assertEqual(self.told("an older copy"), [])
        self.call("detach", "--system", "office", "--yes")
        self.assertEqual(len(self.told("syncline_changes is not in it")), 1)
        self.call("resync", "--system", "office", "--yes")
        self.assertEqual(self.told("syncline_changes is not in it"), [])

    def test_triggers_that_went_with_their_table_are_named(self):
        self.init()
        self.start()
        self.write(self.office, "INSERT INTO customer VALUES ('ann@x', 'Ann', 1)")
        self.expect_equal()
        self.stop()
        self.write(self.office, "ALTER TABLE customer RENAME TO before", fixture.TABLES[0],
                   "INSERT INTO customer SELECT * FROM before", "DROP TABLE before",
                   "INSERT INTO customer VALUES ('bob@x', 'Bob', 2)")
        found = self.told("triggers of ours on customer are missing")
        self.assertEqual([one["about"] for one in found], ["office.customer"])
        self.assertIn("syncline run", found[0]["fix"])
        self.start()
        self.expect_equal()
        self.assertEqual(self.told("triggers of ours"), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
