#!/usr/bin/python3
"""Each failure of a real server ends in recovery or in one clear error that names what it is about,
with nothing lost, while everything else goes on.

    recovery_test.py PATH/TO/syncline

Needs psycopg2 and pymysql, so it runs under the Python that Debian packages them for. Disks that
fill up are tmpfs in a mount namespace of its own; where this user may have none, those tests say
that they did not run.
"""
import functools
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import unittest


def in_own_mounts():
    """This again, where mounts are seen by nobody else and go when it ends."""
    unshare = ["unshare", "--mount"]
    may_mount = os.geteuid() == 0 and subprocess.run(
        [*unshare, "mount", "-t", "tmpfs", "none", "/mnt"], check=False,
        stderr=subprocess.DEVNULL).returncode == 0
    os.environ["SYNCLINE_OWN_MOUNTS"] = "yes" if may_mount else "no"
    command = [*(unshare if may_mount else []), sys.executable, *sys.argv]
    os.execvp(command[0], command)


if __name__ == "__main__" and "SYNCLINE_OWN_MOUNTS" not in os.environ:
    in_own_mounts()  # before the fixture takes its argument

from trio import OFFICE, PASSWORD, SHOP, TABLES, TILL, Trio


class Recovery(Trio):
    # A password that is wrong for a while.

    def change_password(self, system, password):
        if system == self.office:
            self.office_server.sql(
                "postgres", f"ALTER ROLE keeper PASSWORD '{password}'",
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'keeper'")
            return
        root = self.shop_server.connect("")
        cursor = root.cursor()
        cursor.execute(f"SET PASSWORD FOR keeper@localhost = PASSWORD('{password}')")
        cursor.execute("KILL USER keeper@localhost")
        root.close()

    def test_a_wrong_password_while_it_runs(self):
        self.begin()
        for system, others in ((self.office, (self.shop, self.till)),
                               (self.shop, (self.office, self.till))):
            with self.subTest(system=system):
                self.change_password(system, "another")
                self.insert(self.till, "customer", name="while it was wrong")
                self.expect_one_error(system, "SYN-3001", "for user")
                self.see_that_all_goes_on("customer", "product", among=others)
                self.change_password(system, PASSWORD)
                self.expect_all_equal()
                self.expect_no_error(system)

    # A right on one table that is taken away.

    def change_right(self, system, action):
        word, role = ("TO" if action == "GRANT" else "FROM"), "keeper"
        table = "customer"
        if system == self.shop:
            table, role = f"{self.shop}.customer", "keeper@localhost"
        self.do(system, f"{action} INSERT, UPDATE, DELETE ON {table} {word} {role}")

    def test_a_right_that_is_taken_away(self):
        self.begin()
        for system in (self.office, self.shop):
            with self.subTest(system=system):
                self.change_right(system, "REVOKE")
                key = self.insert(self.till, "customer", name="while it was refused")
                self.expect_one_error(system, "customer", "denied" if system == self.shop
                                      else "permission")
                self.see_that_all_goes_on("product")
                self.assertEqual(self.ask("quarantine", "list"), [])
                self.change_right(system, "GRANT")
                self.wait(lambda: any(row[0] == key for row in self.rows_of(system, "customer")))
                self.expect_all_equal()
                self.expect_no_error(system)

    # A transaction that a user leaves open.

    def test_a_row_that_a_users_long_transaction_holds(self):
        self.begin()
        for server, system in ((self.office_server, self.office), (self.shop_server, self.shop)):
            with self.subTest(system=system):
                key = self.insert(self.till, "customer", name="Ann", points=1)
                self.wait(lambda: any(row[0] == key for row in self.rows_of(system, "customer")))
                user = server.connect(system)
                cursor = user.cursor()
                cursor.execute("BEGIN")
                cursor.execute(f"UPDATE customer SET points = 5 WHERE email = '{key}'")
                self.do(self.till, f"UPDATE customer SET name = 'Anna' WHERE email = '{key}'")
                self.wait(lambda: self.status_of(system)["delivery"]["retries_total"] > 2)
                self.see_that_all_goes_on("product")
                cursor.execute("COMMIT")
                user.close()
                self.expect_all_equal()
                self.assertIn((key, "Anna", 5), self.rows_of(self.till, "customer"))

    # Disks that fill up.

    def small_disk(self, size):
        if os.environ.get("SYNCLINE_OWN_MOUNTS") != "yes":
            self.skipTest("this user may not mount a tmpfs")
        path = tempfile.mkdtemp(prefix="syncline-disk-")
        self.addCleanup(os.rmdir, path)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", path], check=True)
        self.addCleanup(subprocess.run, ["umount", path], check=True)
        subprocess.run(["chown", "nobody:nogroup", path], check=True)
        os.chmod(path, 0o700)
        return path

    @staticmethod
    def fill(disk):
        with open(os.path.join(disk, "filler"), "wb") as file:
            try:
                while True:
                    os.write(file.fileno(), b"x" * 4096)
            except OSError:
                pass

    def test_a_full_disk_under_one_table(self):
        office, shop = self.small_disk("8m"), self.small_disk("48m")
        self.do(self.office, f"CREATE TABLESPACE {self.office} LOCATION '{office}'",
                f"GRANT CREATE ON TABLESPACE {self.office} TO keeper")
        self.begin(office=(OFFICE[0] + f" TABLESPACE {self.office}", OFFICE[1]),
                   shop=(SHOP[0] + f" DATA DIRECTORY = '{shop}'", SHOP[1]))
        for system, disk in ((self.office, office), (self.shop, shop)):
            with self.subTest(system=system):
                self.fill(disk)
                numbers = iter(range(5000))

                def is_full():
                    self.do(self.till, *(f"INSERT INTO customer VALUES ('{system}-{number}@x', "
                                         f"'{'n' * 2000}', {number})"
                                         for number in itertools.islice(numbers, 500)))
                    return any("SYN-3007" in error for error in self.errors_of(system))

                self.wait(is_full)
                # What is small may still find room and go, until the next that does not.
                self.expect_one_error(system, "customer", "SYN-3007", "room", most=9)
                self.see_that_all_goes_on("product")
                os.remove(os.path.join(disk, "filler"))
                self.expect_all_equal()
                self.expect_no_error(system)

    # Backups that come back.

    def test_a_target_that_is_restored_from_an_older_backup(self):
        self.begin()
        for server, system in ((self.office_server, self.office), (self.shop_server, self.shop)):
            with self.subTest(system=system):
                others = [one for one in self.systems if one != system]
                server.back_up()
                self.do(self.till, "UPDATE customer SET name = 'after the backup'")
                self.see_that_all_goes_on("customer", "product")
                self.insert(system, "product", title="only there, and delivered")
                self.expect_all_equal()
                server.restore()
                self.insert(self.till, "customer", name="after the restore")
                # Said of what is read from it, and of what is written to it.
                self.expect_one_error(system, "SYN-3005", "resync", most=2)
                self.see_that_all_goes_on("customer", "product", among=others)
                # Somebody is to know of the gap: it is not compared by itself.
                self.assertEqual(self.log_lines(system, "compared anew"), [])
                self.call("resync", "--system", system, "--yes")
                self.expect_all_equal()
                names = {row[1] for row in self.rows_of(system, "customer")}
                self.assertIn("after the backup", names)
                self.assertIn("after the restore", names)

    def grow_the_log(self, system):
        """Beyond where it was when it was restored."""
        self.do(system, "CREATE TABLE other (a text)")
        filler = "'" + "x" * 500 + "'"
        for _ in range(20):
            self.do(system, f"INSERT INTO other VALUES {', '.join([f'({filler})'] * 400)}")
        self.do(system, "DROP TABLE other")

    def test_a_restored_backup_whose_log_has_grown_is_no_silent_gap(self):
        self.begin()
        for server, system in ((self.office_server, self.office), (self.shop_server, self.shop)):
            with self.subTest(system=system):
                server.back_up()
                self.do(self.till, "UPDATE customer SET name = 'after the backup'")
                self.see_that_all_goes_on("customer", "product")
                self.expect_all_equal()
                self.stop()
                server.restore()
                key = self.insert(system, "customer", name="made after the restore")
                self.grow_the_log(system)
                self.launch()
                # By its log, or by what is not there any more of ours: that is mended by itself.
                self.wait(lambda: self.log_lines(system, "SYN-3005", "resync")
                          or self.log_lines(system, "went back"))
                self.wait(self.is_running)
                if not self.log_lines(system, "went back"):
                    self.call("resync", "--system", system, "--yes")
                self.expect_all_equal()
                rows = self.rows_of(self.till, "customer")
                self.assertIn((key, "made after the restore", None), rows)
                self.assertIn("after the backup", {row[1] for row in rows})

    # Damage that no log tells.

    def damage(self, system, table, *statements):
        """Written so that nobody is told: no row of it is in what we read."""
        if system == self.shop:
            self.do(system, "SET sql_log_bin = 0", *statements)
            return
        # What the server takes for UNLOGGED while it writes.
        kept = "UPDATE pg_class SET relpersistence = '{}' WHERE oid = '" + table + "'::regclass"
        self.do(system, "SET allow_system_table_mods = on", "BEGIN", kept.format("u"), *statements,
                kept.format("p"), "COMMIT")

    def write_until(self, system, edited, made, is_over):
        """Records of its own, each made, changed and, one in three, deleted; and one field of
        others."""
        for number in itertools.count():
            key = self.insert(system, "customer", f"{system}-w{number}", name="new", points=0)
            edit = "UPDATE customer SET {} WHERE email = '{}'"
            self.do(system, edit.format(f"points = {number}", key))
            made[key] = (key, "new", number)
            if number % 3 == 2:
                self.do(system, f"DELETE FROM customer WHERE email = '{key}'")
                del made[key]
            for other in edited:
                self.do(system, edit.format(f"points = {number}", other))
                made[other] = (other, made[other][1], number)
            if is_over():
                break

    def differences(self):
        """Per key: who lacks it, and the cells that differ, with all values."""
        return {one["key"]: (one["missing_in"],
                             {cell["field"]: cell["values"] for cell in one["cells"]})
                for dataset in self.ask("verify", expect=1)["datasets"]
                for one in dataset["differences"]}

    def test_damage_that_no_log_tells_is_named_and_repaired_under_writers(self):
        """Where both are damaged the policy decides; no user's write is lost meanwhile."""
        self.make()
        at = self.config().index("[datasets.product.conflict]")
        self.set_config(self.config()[:at] + self.config()[at:].replace(
            'default = "newest"', f'default = "{self.office}"'))
        self.run_it()
        made = {row[0]: row for row in self.rows_of(self.till, "customer")}
        for key in ("d0", "d1", "d2", "d3", "d4"):
            made[self.insert(self.till, "customer", key, name="whole", points=0)] = (
                key, "whole", 0)
        self.insert(self.till, "product", "p", title="whole")
        self.expect_all_equal()
        edited = {self.office: [], self.shop: []}

        def disturb():
            for system, changed, deleted in ((self.office, "d0", "d1"), (self.shop, "d2", "d3")):
                self.damage(system, "customer",
                            f"UPDATE customer SET name = 'of {system}' WHERE email = '{changed}'",
                            f"DELETE FROM customer WHERE email = '{deleted}'",
                            f"INSERT INTO customer VALUES ('only in {system}', 'x', 1)")
                self.damage(system, "product", f"UPDATE product SET title = 'of {system}' "
                                               "WHERE sku = 'p'")
            whole = dict.fromkeys(self.systems, "whole")
            by_office, by_shop = ({system: f"of {system}"} for system in (self.office, self.shop))
            self.assertEqual(self.differences(), {
                "email=d0": ([], {"name": whole | by_office}),
                "email=d1": ([self.office], {}),
                "email=d2": ([], {"name": whole | by_shop}),
                "email=d3": ([self.shop], {}),
                f"email=only in {self.office}": ([self.shop, self.till], {}),
                f"email=only in {self.shop}": ([self.office, self.till], {}),
                "sku=p": ([], {"title": whole | by_office | by_shop})})
            # From now on users write to these, too, where they are.
            edited[self.shop] += ["d0", "d1"]
            edited[self.office] += ["d2", "d3"]
            self.wait(lambda: made["d1"][2] > 0 and made["d3"][2] > 0)
            self.ask("verify", "--repair", expect=None)

        self.beside([functools.partial(self.write_until, system, edited[system], made)
                     for system in edited], disturb)
        self.expect_all_equal()
        for key, system in (("d0", self.office), ("d2", self.shop)):
            made[key] = (key, f"of {system}", made[key][2])
        for system in (self.office, self.shop):
            made[f"only in {system}"] = (f"only in {system}", "x", 1)
        self.assertEqual(self.rows_of(self.till, "customer"), sorted(made.values()))
        self.assertIn(("p", f"of {self.office}"), self.rows_of(self.till, "product"))
        self.assertEqual([one["key"] for one in self.ask("conflicts", "list")], ["sku=p"])
        self.assertEqual(self.ask("quarantine", "list"), [])

    # Tables that change while they are synced.

    def test_a_table_that_is_altered_while_it_is_synced(self):
        self.begin()
        for system in (self.office, self.shop):
            with self.subTest(system=system):
                self.do(system, "ALTER TABLE customer ADD COLUMN unmapped int DEFAULT 7")
                self.see_that_all_goes_on("customer")
                rename = "ALTER TABLE customer RENAME COLUMN {} TO {}"
                self.do(system, rename.format("points", "score"))
                self.do(system, "UPDATE customer SET score = 8, name = 'while it was away'")
                key = self.insert(self.till, "customer", points=3)
                self.expect_one_error(system, "customer", "points", "SYN-3003", most=2)
                self.see_that_all_goes_on("product")
                self.do(system, rename.format("score", "points"))
                self.wait(lambda: any(row[0] == key for row in self.rows_of(system, "customer")))
                self.expect_all_equal()
                self.expect_no_error(system)
                self.assertIn("while it was away",
                              {row[1] for row in self.rows_of(self.till, "customer")})
                self.do(system, "ALTER TABLE customer MODIFY points bigint" if system == self.shop
                        else "ALTER TABLE customer ALTER points TYPE bigint USING points + 1")
                self.expect_all_equal()

    # Columns that each side keeps itself.

    def writes_of_ours(self):
        return [self.status_of(system)["delivery"]["transactions_total"]
                for system in self.systems]

    def expect_rest(self):
        """Nothing is written any more: two looks, some time apart, see the same."""
        seen = None

        def is_at_rest():
            nonlocal seen
            before, seen = seen, self.writes_of_ours()
            threading.Event().wait(0.5)
            return before == seen

        self.wait(is_at_rest)

    def findings(self, expect=0):
        return self.ask("plan", expect=expect)["findings"]

    def change_section(self, head, lines):
        """Lines at the head of a section of the config; the section is made where there is none."""
        if head in self.config():
            return self.change_config(head + "\n", head + "\n" + lines + "\n")
        return self.set_config(self.config() + f"\n{head}\n{lines}\n")

    STAMP_OFFICE = (
        "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "NEW.updated_at := clock_timestamp(); RETURN NEW; END $$",
        "CREATE TRIGGER stamped BEFORE UPDATE ON customer FOR EACH ROW EXECUTE FUNCTION stamp()")
    STAMP_SHOP = (
        "CREATE TRIGGER stamped BEFORE UPDATE ON customer FOR EACH ROW SET NEW.updated_at = "
        "now(6)",)

    def make_stamped(self, shop_column="updated_at datetime(6)"):
        self.make(office=(OFFICE[0][:-1] + ", updated_at timestamp(6))", OFFICE[1]),
                  shop=(SHOP[0][:-1] + f", {shop_column})", SHOP[1]),
                  till=(TILL[0][:-1] + ", updated_at TEXT)", TILL[1]))

    def edit_names(self, rounds=3):
        for number in range(rounds):
            for system in self.systems:
                self.do(system, f"UPDATE customer SET name = 'by {system} {number}'")
                threading.Event().wait(0.05)

    def test_two_updated_at_triggers(self):
        self.make_stamped()
        self.do(self.office, *self.STAMP_OFFICE)
        self.do(self.shop, *self.STAMP_SHOP)
        found = [one for one in self.findings(expect=1) if "set by every" in one["what"]]
        self.assertEqual({one["system"] for one in found}, {self.office, self.shop}, found)
        for one in found:
            self.assertIn('updated_at = "local"', one["fix"])
        self.change_section("[datasets.customer.conflict.fields]", 'updated_at = "local"')
        for system in (self.office, self.shop):
            self.change_section(f"[datasets.customer.on.{system}]", 'triggers = "fire"')
        self.call("plan")
        self.start()
        self.see_that_all_goes_on("customer", "product")
        self.edit_names()
        self.expect_all_equal()
        self.expect_rest()
        stamps = self.do(self.office, "SELECT count(updated_at) FROM customer")
        self.assertGreater(stamps[0][0], 0)
        self.assertEqual(self.ask("quarantine", "list"), [])

    def test_two_updated_at_triggers_that_travel_end_by_themselves(self):
        self.make_stamped()
        self.do(self.office, *self.STAMP_OFFICE)
        self.do(self.shop, *self.STAMP_SHOP)
        for system in (self.office, self.shop):
            self.change_section(f"[datasets.customer.on.{system}]", 'triggers = "fire"')
        self.start()
        self.see_that_all_goes_on("customer", "product")
        self.edit_names()
        self.expect_rest()
        for system in self.systems:
            self.assertEqual(self.rows_of(system, "customer"),
                             self.rows_of(self.office, "customer"))
        self.wait(lambda: self.log_lines("customer", 'updated_at = "local"'))
        self.assertLessEqual(len(self.log_lines("customer", 'updated_at = "local"')), 2)
        self.see_that_all_goes_on("customer", "product")

    def test_a_column_that_every_update_sets(self):
        self.make_stamped("updated_at datetime(6) ON UPDATE current_timestamp(6)")
        found = [one for one in self.findings() if "updated_at" in one["what"]]
        self.assertEqual([one["system"] for one in found], [self.shop])
        self.assertIn('updated_at = "local"', found[0]["fix"])
        self.start()
        self.see_that_all_goes_on("customer", "product")
        self.edit_names()
        self.expect_all_equal()
        self.expect_rest()
        stamps = [self.do(system, "SELECT email, updated_at FROM customer ORDER BY email")
                  for system in (self.office, self.shop)]
        self.assertEqual(*[[tuple(row) for row in sorted(rows)] for rows in stamps])

    # Triggers that add to a total, and cascades.

    ORDERS = ("CREATE TABLE orders (id int PRIMARY KEY, total int)",
              "CREATE TABLE line (id int PRIMARY KEY, order_id int, amount int)")

    def order(self, system, number, amounts):
        """As the application of a side without triggers does it."""
        self.do(system, f"INSERT INTO orders VALUES ({number}, 0)", *(
            statement for at, amount in enumerate(amounts) for statement in (
                f"INSERT INTO line VALUES ({number * 10 + at}, {number}, {amount})",
                f"UPDATE orders SET total = total + {amount} WHERE id = {number}")))

    def totals(self, system):
        return sorted(tuple(row) for row in self.do(system, "SELECT id, total FROM orders"))

    def test_a_trigger_on_a_target_that_adds_to_a_total(self):
        self.make(office=self.ORDERS, shop=self.ORDERS, till=[
            table.replace("PRIMARY KEY", "PRIMARY KEY NOT NULL") for table in self.ORDERS])
        self.do(self.office, "CREATE FUNCTION add() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                             "UPDATE orders SET total = total + NEW.amount WHERE id = "
                             "NEW.order_id; RETURN NULL; END $$",
                "CREATE TRIGGER adds AFTER INSERT ON line FOR EACH ROW EXECUTE FUNCTION add()")
        self.do(self.shop, "CREATE TRIGGER adds AFTER INSERT ON line FOR EACH ROW UPDATE orders "
                           "SET total = total + NEW.amount WHERE id = NEW.order_id")
        stops = [one for one in self.findings(expect=1) if one["severity"] == "stops"]
        self.assertEqual([(one["system"], one["dataset"]) for one in stops], [(self.shop, "line")])
        self.assertIn('triggers = "fire"', stops[0]["fix"])
        self.start()
        self.order(self.till, 1, (10, 20))
        self.wait(lambda: self.totals(self.office) == self.totals(self.shop) == [(1, 30)])
        self.expect_one_error(self.shop, "line", "adds", 'triggers = "fire"')
        self.wait(lambda: len(self.do(self.office, "SELECT * FROM line")) == 2)
        self.assertEqual(list(self.do(self.shop, "SELECT * FROM line")), [])
        self.do(self.shop, "DROP TRIGGER adds")
        self.wait(lambda: len(self.do(self.shop, "SELECT * FROM line")) == 2)
        self.do(self.office, "INSERT INTO orders VALUES (2, 0)",
                "INSERT INTO line VALUES (20, 2, 15)")
        self.wait(lambda: self.totals(self.till) == self.totals(self.shop) == [(1, 30), (2, 15)])
        self.assertTrue(self.ask("verify")["is_equal"])
        self.assertEqual(self.totals(self.office), [(1, 30), (2, 15)])

    def guard_triggers(self):
        """Takes what `plan` prints into each system as a user would."""
        for system in self.systems:
            self.change_section(f"[datasets.line.on.{system}]", 'triggers = "guarded"')
        stops = {one["system"]: one["fix"] for one in self.findings(expect=1)
                 if one["severity"] == "stops"}
        self.assertEqual(set(stops), set(self.systems))
        printed = {system: re.search("BEGIN; .* COMMIT;", stops[system])[0]
                   for system in (self.office, self.till)}
        self.do(self.office, printed[self.office])
        subprocess.run(["sqlite3", "-bail", self.path("till.db")], input=printed[self.till],
                       check=True, text=True)
        subprocess.run(["mariadb", "--no-defaults", "-uroot", "-S",
                        self.shop_server.folder + "/socket", self.shop],
                       input=re.search("SET @mode.* utf8mb4;", stops[self.shop], re.S)[0],
                       check=True, text=True)

    def test_guarded_triggers_add_to_a_total_once(self):
        self.make(office=self.ORDERS, shop=self.ORDERS, till=[
            table.replace("PRIMARY KEY", "PRIMARY KEY NOT NULL") for table in self.ORDERS])
        adds = "UPDATE orders SET total = total + NEW.amount WHERE id = NEW.order_id"
        self.do(self.office, "CREATE FUNCTION add() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                             f"{adds}; RETURN NULL; END $$",
                "CREATE TRIGGER adds AFTER INSERT ON line FOR EACH ROW EXECUTE FUNCTION add()")
        self.do(self.shop, f"CREATE TRIGGER adds AFTER INSERT ON line FOR EACH ROW {adds}")
        self.do(self.till, f"CREATE TRIGGER adds AFTER INSERT ON line BEGIN {adds}; END")
        self.guard_triggers()
        self.call("plan")
        self.start()
        for number, system in enumerate(self.systems, 1):
            self.do(system, f"INSERT INTO orders VALUES ({number}, 0)",
                    f"INSERT INTO line VALUES ({number * 10}, {number}, 10)",
                    f"INSERT INTO line VALUES ({number * 10 + 1}, {number}, 20)")
        for system in self.systems:
            self.wait(lambda: self.totals(system) == [(1, 30), (2, 30), (3, 30)])
        self.expect_rest()
        self.assertTrue(self.ask("verify")["is_equal"])
        self.assertEqual(self.ask("quarantine", "list"), [])

    def test_children_wait_for_their_parents_where_foreign_keys_are_checked(self):
        referring = (self.ORDERS[0], self.ORDERS[1][:-1] +
                     ", FOREIGN KEY (order_id) REFERENCES orders (id))")
        self.make(office=referring, shop=self.ORDERS, till=[
            table.replace("PRIMARY KEY", "PRIMARY KEY NOT NULL") for table in self.ORDERS])
        for dataset in ("orders", "line"):
            self.change_section(f"[datasets.{dataset}.on.{self.office}]", 'triggers = "fire"')
        self.start()
        for number in range(1, 40):  # children first, as no foreign key keeps the till from it
            self.do(self.till, f"INSERT INTO line VALUES ({number}, {number}, 1)")
        self.wait(lambda: len(self.do(self.shop, "SELECT * FROM line")) == 39)
        self.do(self.till, *(f"INSERT INTO orders VALUES ({number}, 1)"
                             for number in range(1, 40)))
        self.wait(lambda: len(self.do(self.office, "SELECT * FROM line")) == 39)
        self.do(self.shop, "DELETE FROM orders", "DELETE FROM line")
        for system in self.systems:
            self.wait(lambda: not self.do(system, "SELECT * FROM orders"))
            self.wait(lambda: not self.do(system, "SELECT * FROM line"))
        self.assertEqual(self.ask("quarantine", "list"), [])
        self.assertTrue(self.ask("verify")["is_equal"])

    def lines(self, system):
        return sorted(tuple(row) for row in self.do(system, "SELECT id, order_id FROM line"))

    def test_cascades_on_either_side(self):
        cascade = (self.ORDERS[0], self.ORDERS[1][:-1] +
                   ", CONSTRAINT of_order FOREIGN KEY (order_id) REFERENCES orders (id) "
                   "ON DELETE CASCADE)")
        self.make(office=cascade, shop=cascade, till=[
            table.replace("PRIMARY KEY", "PRIMARY KEY NOT NULL") for table in cascade])
        stops = [one for one in self.findings(expect=1) if one["severity"] == "stops"]
        self.assertEqual([(one["system"], one["dataset"]) for one in stops], [(self.shop, "line")])
        self.start()
        self.expect_one_error(self.shop, "line", "of_order")
        for statement in stops[0]["fix"].split("; ")[:2]:
            self.do(self.shop, statement)
        self.wait(lambda: self.status_of(self.shop)["state"] == "running")
        for number in range(1, 5):
            self.order(self.till, number, (1, 2))
        others = (self.office, self.shop)
        self.wait(lambda: all(len(self.lines(system)) == 8 for system in others))
        self.do(self.office, "DELETE FROM orders WHERE id = 1")
        self.do(self.till, "PRAGMA foreign_keys = ON", "DELETE FROM orders WHERE id = 2")
        self.do(self.shop, "DELETE FROM line WHERE order_id = 3", "DELETE FROM orders WHERE id = 3")
        for system in self.systems:
            self.wait(lambda: self.lines(system) == [(40, 4), (41, 4)])
            self.wait(lambda: self.totals(system) == [(4, 3)])
        self.assertTrue(self.ask("verify")["is_equal"])

    # What one side's collation takes for one.

    def test_two_records_that_are_one_under_the_others_collation(self):
        self.begin(shop=(SHOP[0].replace("email varchar(60)", "email varchar(60) CHARACTER SET "
                                         "utf8mb4 COLLATE utf8mb4_general_ci"), SHOP[1]))
        self.insert(self.office, "customer", "müller@x", name="first")
        self.wait(lambda: any(row[1] == "first" for row in self.rows_of(self.shop, "customer")))
        self.insert(self.office, "customer", "muller@x", name="second")
        self.wait(lambda: self.ask("quarantine", "list") != [])
        told = json.dumps(self.ask("quarantine", "list"), ensure_ascii=False)
        self.assertIn("takes it for the record email=müller@x", told)
        self.assertIn("customer", told)
        self.see_that_all_goes_on("customer", "product")
        self.assertIn(("müller@x", "first", None), self.rows_of(self.shop, "customer"))
        self.assertIn(("muller@x", "second", None), self.rows_of(self.till, "customer"))

    # Rows of one system that are one record elsewhere, made while it runs.

    def begin_with_a_collation(self, office=""):
        """The office tells Ann from ann; the shop and the till take them for one."""
        coarse = SHOP[0].replace("email varchar(60)", "email varchar(60) CHARACTER SET utf8mb4 "
                                 "COLLATE utf8mb4_general_ci")
        self.make(shop=(coarse, SHOP[1]), till=(TILL[0].replace("RTRIM", "NOCASE"), TILL[1]))
        for table in TABLES:
            before = f'table = "public.{table}"\n'
            self.change_config(before, before + office)
        self.run_it()
        self.insert(self.office, "customer", "ann@x", name="first", points=1)
        self.wait(lambda: self.ann(self.shop) == self.ann(self.till) == [("ann@x", "first", 1)])

    def ann(self, system):
        return [row for row in self.rows_of(system, "customer") if row[0].lower() == "ann@x"]

    def wait_for_ann(self, row, among=None):
        for system in among or self.systems:
            self.wait(lambda: [one[1:] for one in self.ann(system)] == [row])

    def twins(self):
        return [one for one in self.ask("quarantine", "list") if "SYN-3011" in one["reason"]]

    def see_it_mended(self):
        self.wait(lambda: self.twins() == [])
        self.expect_same_records()

    def expect_same_records(self):
        """Equal cell by cell; a key may be written as its system always had it."""
        def folded(system):
            return sorted((row[0].lower(), *row[1:]) for row in self.rows_of(system, "customer"))
        self.wait(lambda: folded(self.office) == folded(self.shop) == folded(self.till))
        self.wait(lambda: self.call("verify", expect=None).returncode == 0)

    def test_a_second_row_lives_on_when_another_system_deletes_the_first(self):
        self.begin_with_a_collation()
        self.insert(self.office, "customer", "ANN@x", name="second", points=2)
        self.wait(lambda: len(self.twins()) == 1)
        self.do(self.shop, "DELETE FROM customer WHERE email = 'ann@x'")
        # Where the delete and the put come in one batch the row stays, and with it its spelling.
        self.wait_for_ann(("second", 2), (self.shop, self.till))
        self.assertEqual(self.ann(self.office), [("ANN@x", "second", 2)])
        self.see_it_mended()

    def test_a_second_row_that_others_take_for_the_first(self):
        self.begin_with_a_collation()
        self.insert(self.office, "customer", "ANN@x", name="second", points=2)
        self.wait(lambda: len(self.twins()) == 1)
        told = self.twins()[0]["reason"]
        for words in ("dataset 'customer'", "'email=ann@x' and 'email=ANN@x'", self.office,
                      'DELETE FROM "public"."customer" WHERE "email" = \'ANN@x\''):
            self.assertIn(words, told)
        self.see_that_all_goes_on("customer", "product")
        self.do(self.office, "UPDATE customer SET points = 22 WHERE email = 'ANN@x'",
                "UPDATE customer SET points = 11 WHERE email = 'ann@x'")
        self.do(self.shop, "UPDATE customer SET name = 'anew' WHERE email = 'ann@x'")
        self.wait_for_ann(("anew", 11), (self.shop, self.till))
        self.wait(lambda: self.ann(self.office) == [("ANN@x", "second", 22),
                                                    ("ann@x", "anew", 11)])
        self.call("quarantine", "retry", self.twins()[0]["id"], expect=4)
        self.kill()
        self.start()
        self.do(self.till, "UPDATE customer SET points = 12 WHERE email = 'ann@x'")
        self.wait(lambda: ("ann@x", "anew", 12) in self.ann(self.office))
        self.assertEqual(len(self.twins()), 1)
        self.assertEqual(len(self.log_lines("SYN-3011", "quarantined")), 2, self.log())  # a run
        self.do(self.office, "DELETE FROM customer WHERE email = 'ANN@x'")
        self.see_it_mended()
        self.wait_for_ann(("anew", 12))

    def test_of_two_rows_that_are_one_the_first_goes(self):
        self.begin_with_a_collation()
        self.insert(self.office, "customer", "ANN@x", name="second", points=2)
        self.wait(lambda: len(self.twins()) == 1)
        self.do(self.office, "DELETE FROM customer WHERE email = 'ann@x'")
        self.see_it_mended()
        self.wait_for_ann(("second", 2))
        self.do(self.shop, "UPDATE customer SET points = 3 WHERE email = 'ann@x'")
        self.wait_for_ann(("second", 3))
        self.do(self.office, "DELETE FROM customer WHERE email = 'ANN@x'")
        self.wait(lambda: all(self.ann(system) == [] for system in self.systems))

    def test_two_rows_that_are_one_where_a_table_is_scanned(self):
        self.begin_with_a_collation(office='capture = "scan"\nevery = "1s"\n')
        self.insert(self.office, "customer", "ANN@x", name="second", points=2)
        self.wait(lambda: len(self.twins()) == 1)
        self.do(self.office, "UPDATE customer SET points = 11 WHERE email = 'ann@x'",
                "UPDATE customer SET points = 22 WHERE email = 'ANN@x'")
        self.wait_for_ann(("first", 11), (self.shop, self.till))
        self.do(self.shop, "UPDATE customer SET name = 'anew' WHERE email = 'ann@x'")
        self.wait(lambda: self.ann(self.office) == [("ANN@x", "second", 22),
                                                    ("ann@x", "anew", 11)])
        self.do(self.office, "DELETE FROM customer WHERE email = 'ann@x'")
        self.see_it_mended()
        self.wait_for_ann(("second", 22))
        self.do(self.office, "UPDATE customer SET email = 'Ann@x', points = 3 WHERE "
                "email = 'ANN@x'")
        self.wait_for_ann(("second", 3))

    def test_of_two_rows_that_are_one_the_second_is_renamed(self):
        self.begin_with_a_collation()
        self.insert(self.office, "customer", "ANN@x", name="second", points=2)
        self.wait(lambda: len(self.twins()) == 1)
        self.do(self.office, "UPDATE customer SET email = 'bob@x' WHERE email = 'ANN@x'")
        self.see_it_mended()
        self.wait_for_ann(("first", 1))
        self.assertIn(("bob@x", "second", 2), self.rows_of(self.till, "customer"))

    def test_a_key_that_is_written_otherwise_stays_one_record(self):
        self.begin_with_a_collation()
        self.do(self.office, "UPDATE customer SET email = 'ANN@x' WHERE email = 'ann@x'")
        self.do(self.office, "UPDATE customer SET points = 2 WHERE email = 'ANN@x'")
        self.wait_for_ann(("first", 2))
        self.do(self.shop, "UPDATE customer SET points = 3 WHERE email = 'ann@x'")
        self.wait_for_ann(("first", 3))
        self.do(self.till, "UPDATE customer SET email = 'Ann@X', points = 4 WHERE email = 'ann@x'")
        self.wait_for_ann(("first", 4))
        for number, statements in enumerate((
                ["BEGIN; DELETE FROM customer WHERE email = 'ANN@x'; "
                 "INSERT INTO customer VALUES ('aNN@x', 'anew', 5); COMMIT"],
                ["BEGIN; INSERT INTO customer VALUES ('anN@x', 'anew', 5); "
                 "DELETE FROM customer WHERE email = 'aNN@x'; COMMIT"],
                ["DELETE FROM customer WHERE email = 'anN@x'",
                 "INSERT INTO customer VALUES ('Ann@x', 'anew', 5)"])):
            with self.subTest(number=number):
                self.do(self.office, *statements)
                self.wait_for_ann(("anew", 5))
                self.do(self.shop, "UPDATE customer SET points = 6 WHERE email = 'ann@x'")
                self.wait_for_ann(("anew", 6))
        self.assertEqual(self.ask("quarantine", "list"), [])
        self.expect_same_records()
        self.do(self.shop, "DELETE FROM customer WHERE email = 'ann@x'")
        self.wait(lambda: all(self.ann(system) == [] for system in self.systems))


if __name__ == "__main__":
    unittest.main(verbosity=2)
