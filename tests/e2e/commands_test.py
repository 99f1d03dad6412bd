#!/usr/bin/env python3
"""Every command that a user has, against the real daemon and while it is stopped.

    commands_test.py PATH/TO/syncline
"""
import json
import os
import re
import shutil
import signal
import subprocess
import unittest

import fixture


class Demo(fixture.Appliance):
    def test_demo_converges(self):
        report = self.ask("demo", "--for", "3s")
        self.assertTrue(report["is_converged"])
        self.assertGreater(report["status"]["changes_total"], 100)

    def test_demo_leaves_what_it_is_told_to_keep(self):
        report = self.ask("demo", "--for", "1s", "--keep", "kept")
        self.assertTrue(report["proof"]["is_equal"])
        self.assertEqual(sorted(os.listdir(self.path("kept"))),
                         ["data", "office.db", "shop.db", "syncline.toml"])
        self.assertTrue(self.ask("verify", "-c", "kept/syncline.toml")["is_equal"])
        self.call("audit", "verify", "-c", "kept/syncline.toml")
        self.refuse("demo", "--keep", "kept", status=2, code="SYN-1001", says=["not empty"])


class Help(fixture.Appliance):
    def test_every_command_helps(self):
        told = self.call("--help").stdout
        for command in ("demo init check doctor plan run reload status top lag pause resume verify "
                        "conflicts quarantine resync detach audit engines bench").split():
            self.assertIn(command, told)
            self.assertIn("--config", self.call(command, "--help").stdout)

    def test_a_wrong_command_line_is_named(self):
        self.assertIn("subcommand", self.call(expect=2).stderr)
        self.call("rnu", expect=2)
        self.call("verify", "--stetle", "1s", expect=2)
        self.assertIn("not a duration", self.call("demo", "--for", "soon", expect=2).stderr)

    def test_init_names_systems_so_that_the_config_takes_them(self):
        for name in ("newest", "all", "syncline", "s" * 80):
            shutil.copy(self.path("office.db"), self.path(name + ".db"))
            self.call("init", name + ".db", "shop.db", "--force")
            self.call("check")

    def test_init_says_what_a_scheme_was_meant_to_be(self):
        for scheme, meant in (("postgre", "postgres"), ("POSTGRES", "postgres"),
                              ("mysq", "mysql")):
            self.refuse("init", scheme + "://u@h/d", "shop.db", status=3, code="SYN-2003",
                        says=[f'did you mean "{meant}"'])

    def test_init_of_systems_that_share_no_table_is_no_success(self):
        self.write(self.path("other.db"), "CREATE TABLE abc (k INT NOT NULL PRIMARY KEY)")
        self.assertIn("no table to sync", self.call("init", "other.db", "shop.db",
                                                    expect=1).stdout)

    def test_an_error_is_an_object_where_json_is_asked_for(self):
        told = json.loads(self.call("status", "--json", "-c", "nowhere.toml", expect=3).stderr)
        self.assertEqual(told["code"], "SYN-2004")
        self.assertEqual(set(told), {"code", "what", "why", "fix"})

    def test_init_writes_over_nothing(self):
        self.init()
        before = self.config()
        self.refuse("init", "office.db", "shop.db", status=2, code="SYN-1001", says=["--force"])
        self.assertEqual(self.config(), before)
        self.call("init", "office.db", "shop.db", "--force")


class Machine(fixture.Appliance):
    def test_engines_and_bench_measure_four_stages(self):
        stages = {"fingerprint", "detect", "seal", "open"}
        engines = self.ask("engines")
        self.assertEqual({engine["name"] for engine in engines}, {"cpu", "cuda", "opencl"})
        for engine in engines:
            if engine["is_there"]:
                self.assertEqual(set(engine["stages"]), stages)
                self.assertNotIn("fault", engine)
                for stage in engine["stages"].values():
                    self.assertGreaterEqual(stage["fixed_us"], 0)
                    # No memory gives a terabyte a second: such a rate was made up.
                    if stage["bytes_per_us"] is not None:
                        self.assertLess(stage["bytes_per_us"], 1e7)
            else:
                self.assertTrue(engine["why"] and engine["fix"], engine)
        for stage in stages:  # somebody takes the smallest batches
            self.assertIn(0, [engine["stages"][stage]["takes_from_bytes"] for engine in engines
                              if engine["is_there"]])
        self.assertIn("with engine = \"auto\" a batch goes to", self.call("engines").stdout)
        self.assertIn("cpu", [engine["name"] for engine in engines if engine["is_there"]])
        measured = self.ask("bench")
        self.assertEqual({one["stage"] for one in measured}, stages)
        self.assertTrue(all(one["value"] > 0 for one in measured))

    def test_engines_explains_its_choice(self):
        explained = self.ask("engines", "--explain", "64KiB")
        self.assertEqual([one["stage"] for one in explained],
                         ["fingerprint", "detect", "seal", "open"])
        for one in explained:
            self.assertEqual(one["bytes"], 65536)
            self.assertEqual({engine["name"] for engine in one["engines"]},
                             {"cpu", "cuda", "opencl"})
            can = {engine["name"]: engine["predicted_us"] for engine in one["engines"]
                   if "remark" not in engine}
            self.assertEqual(one["chosen"], min(can, key=can.get))
            self.assertTrue(one["why"])
            self.assertIsNone(one["appliance"])
        self.assertIn("no running appliance", self.call("engines", "--explain", "64KiB").stdout)
        self.assertIn("not a size", self.call("engines", "--explain", "soon", expect=2).stderr)

    def test_a_forced_engine_runs_or_says_why_it_cannot(self):
        there = {engine["name"]: engine for engine in self.ask("engines")}
        for name, engine in there.items():
            demo = ("demo", "--for", "1s", "--engine", name)
            if not engine["is_there"]:
                self.refuse(*demo, status=3, code="SYN-5003", says=["is not there", engine["fix"]])
                continue
            told = self.ask(*demo)
            self.assertTrue(told["is_converged"])
            ran = {one["name"]: one for one in told["status"]["engines"]}
            self.assertGreater(ran[name]["batches_total"], 0, ran)
            self.assertEqual(ran[name]["faults_total"], 0, ran)

    def test_doctor_says_what_run_would_of_the_engine_that_the_config_asks_for(self):
        self.init()
        asked = f'engine = "{fixture.ENGINE}"'
        for engine in self.ask("engines"):
            self.change_config(asked, asked := f'engine = "{engine["name"]}"')
            found = self.ask("doctor", expect=0 if engine["is_there"] else 1)["findings"]
            stops = [one["about"] for one in found if one["severity"] == "stops"]
            self.assertEqual(stops, [] if engine["is_there"] else ["SYN-5003"])
            if not engine["is_there"]:
                self.refuse("run", status=3, code="SYN-5003", says=[engine["fix"]])

    def test_doctor_finds_what_is_wrong(self):
        self.init()
        self.assertTrue(self.ask("doctor")["is_ready"])
        self.change_config("office.db", "nowhere.db")
        report = self.ask("doctor", expect=1)
        self.assertFalse(report["is_ready"])
        found = [one for one in report["findings"] if one["severity"] == "stops"]
        self.assertEqual([one["about"] for one in found], ["SYN-3001"])

    def test_a_system_that_is_away_hides_no_findings_of_the_others(self):
        self.init()
        self.write(self.shop, "CREATE TRIGGER tell AFTER INSERT ON customer BEGIN DELETE FROM "
                              "customer WHERE points < 0; END")
        self.change_config("office.db", "nowhere.db")
        told = self.call("doctor", expect=1).stdout
        self.assertIn("trigger tell", told)
        self.assertIn("SYN-3001", told)
        plan = self.call("plan", expect=4)
        self.assertIn("trigger tell", plan.stdout)
        self.assertIn("SYN-3001", plan.stderr)


class Running(fixture.Appliance):
    def setUp(self):
        super().setUp()
        self.write(self.office, "INSERT INTO customer VALUES ('ann@x', 'Ann', 1)",
                   "INSERT INTO product VALUES ('p1', 'Pen')")
        self.init()
        self.start()
        self.expect_equal()

    def test_status_top_and_lag(self):
        status = self.ask("status")
        self.assertEqual([one["name"] for one in status["systems"]], ["office", "shop"])
        self.assertIn("office", self.call("status").stdout)
        lines = self.call("top", "--for", "1s", "--json").stdout.splitlines()
        self.assertGreaterEqual(len(lines), 2)
        self.assertEqual(json.loads(lines[-1])["state"], "running")
        self.assertEqual([one["name"] for one in self.ask("lag")], ["office", "shop"])
        self.assertIn("lag bytes", self.call("lag").stdout)
        self.stop()
        for command in ("status", "lag", "pause", "resume", "reload"):
            self.refuse(command, status=4, code="SYN-1003", says=["syncline run"])

    def test_the_running_appliance_explains_its_own_engines(self):
        running = {engine["name"] for engine in self.ask("status")["engines"]}
        for one in self.ask("engines", "--explain", "64KiB"):
            self.assertEqual((one["appliance"], one["bytes"]), ("main", 65536))
            self.assertEqual({engine["name"] for engine in one["engines"]}, running)
            self.assertIn(one["chosen"], running)
        told = self.call("engines", "--explain", "64KiB").stdout
        self.assertIn("the running appliance 'main'", told)
        self.assertIn("seal: ", told)
        self.stop()
        self.assertIsNone(self.ask("engines", "--explain", "64KiB")[0]["appliance"])

    def test_metrics_tell_what_the_engines_did(self):
        told = self.metrics()
        for engine in self.ask("status")["engines"]:
            name = engine["name"]
            self.assertIn(f'syncline_engine_faults_total{{engine="{name}"}} 0', told)
            for stage in ("fingerprint", "detect", "seal", "open"):
                labels = f'{{engine="{name}",stage="{stage}"}}'
                self.assertIn(f"syncline_engine_out_of_service{labels} 0", told)
                self.assertIn(f"syncline_engine_not_ready_total{labels} ", told)
        done = [int(line.rsplit(" ")[-1]) for line in told.splitlines()
                if line.startswith("syncline_engine_batches_total{") and 'stage="seal"' in line]
        self.assertGreater(sum(done), 0)

    def test_a_paused_dataset_waits_and_the_others_go_on(self):
        self.call("pause", "customer")
        self.assertEqual(self.phase_of("shop", "customer")["phase"], "paused")
        self.write(self.office, "UPDATE customer SET points = 9", "INSERT INTO product VALUES "
                   "('p2', 'Ink')")
        self.wait(lambda: len(self.rows(self.shop, "product")) == 2)
        self.assertEqual(self.rows(self.shop), [("ann@x", "Ann", 1)])
        self.call("resume", "customer")
        self.expect_equal()
        self.refuse("pause", "custmer", status=2, code="SYN-1002")

    def test_a_paused_system_gets_nothing_until_it_is_resumed(self):
        self.call("pause", "shop")
        self.assertEqual(self.status_of("shop")["state"], "paused")
        self.write(self.office, "UPDATE customer SET points = 9")
        self.wait(lambda: self.status_of("office")["rows_captured_total"] >= 3)
        self.assertEqual(self.rows(self.shop), [("ann@x", "Ann", 1)])
        self.call("pause")
        self.call("resume")
        self.expect_equal()

    def test_conflicts_are_listed_and_shown_running_or_not(self):
        self.stop()
        self.write(self.office, "UPDATE customer SET name = 'Anna'")
        self.write(self.shop, "UPDATE customer SET name = 'Annie'")
        self.start()
        self.expect_equal()
        listed = self.ask("conflicts", "list", "--dataset", "customer")
        self.assertEqual([one["type"] for one in listed], ["update_origin_differs"])
        self.assertEqual(self.ask("conflicts", "list", "--dataset", "product"), [])
        self.stop()
        shown = self.ask("conflicts", "show", listed[0]["id"])
        self.assertEqual(shown, listed[0])
        self.assertEqual({shown["winner"]["value"], shown["loser"]["value"]}, {"Anna", "Annie"})
        self.assertEqual(shown["winner"]["value"], self.rows(self.shop)[0][1])
        self.refuse("conflicts", "show", "nothing", status=2, code="SYN-1002")

    def test_what_a_target_refuses_is_kept_until_it_is_retried(self):
        self.stop()
        self.write(self.office, "INSERT INTO product VALUES ('p2', 'Same')")
        self.write(self.shop, "INSERT INTO product VALUES ('p3', 'Same')")
        self.start()
        self.wait(lambda: len(self.ask("quarantine", "list")) == 2)
        self.assertEqual(self.ask("status")["quarantined"], 2)
        listed = {one["system"]: one for one in self.ask("quarantine", "list")}
        self.assertEqual(listed["shop"]["key"], "sku=p2")
        self.assertIn("SYN-3006", listed["shop"]["reason"])
        self.assertIn("UNIQUE", self.ask("quarantine", "show", listed["office"]["id"])["reason"])
        self.write(self.shop, "UPDATE product SET title = 'Other' WHERE sku = 'p3'")
        self.wait(lambda: ("p3", "Other") in self.rows(self.office, "product"))
        self.call("quarantine", "retry", listed["shop"]["id"])
        self.expect_equal("product")
        self.refuse("quarantine", "retry", "nothing", status=2, code="SYN-1002")

    def test_an_item_whose_dataset_is_gone_from_the_config_is_refused(self):
        self.stop()
        self.write(self.office, "INSERT INTO product VALUES ('p2', 'Same')")
        self.write(self.shop, "INSERT INTO product VALUES ('p3', 'Same')")
        self.start()
        self.wait(lambda: len(self.ask("quarantine", "list")) == 2)
        item = self.ask("quarantine", "list")[0]["id"]
        of_product = r"(?ms)^\[datasets\.product[^\n]*\n.*?(?=^\[datasets\.(?!product)|\Z)"
        self.set_config(re.sub(of_product, "", self.config()))
        self.call("reload", "--yes")
        self.refuse("quarantine", "retry", item, status=2, code="SYN-1002", says=["reload"])
        self.write(self.office, "UPDATE customer SET points = 5")
        self.expect_equal()

    def test_a_row_whose_key_is_the_reason_is_listed_and_not_retried(self):
        make = "CREATE TABLE note (id TEXT PRIMARY KEY NOT NULL, text TEXT)"
        self.write(self.shop, make)
        self.write(self.office, make, "INSERT INTO note VALUES "
                   "('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'in capitals')")
        self.set_config(self.config() + '\n[datasets.note]\nkey = ["id"]\nfirst = "office"\n'
                        '[datasets.note.types]\nid = "uuid"\n[datasets.note.on.office]\n'
                        'table = "note"\n[datasets.note.on.shop]\ntable = "note"\n')
        self.call("reload", "--yes")
        self.wait(lambda: len(self.ask("quarantine", "list")) == 1)
        item = self.ask("quarantine", "list")[0]
        self.assertEqual(item["key"], "")
        self.assertIn("A0EEBC99", item["reason"])
        self.refuse("quarantine", "retry", item["id"], status=2, code="SYN-1002",
                    says=["its key is the reason"])
        self.assertEqual(self.rows(self.shop, "note"), [])
        self.assertIn("0 different, 1 rejected (", self.call("verify", "--dataset", "note").stdout)

    def test_many_long_keys_are_repaired(self):
        self.stop()
        logged = self.one(self.office, "SELECT max(id) FROM syncline_changes")
        self.write(self.office, *(
            f"INSERT INTO customer VALUES ('{number:0700}', 'n', 1)" for number in range(1500)),
                   f"DELETE FROM syncline_changes WHERE id > {logged}")  # never told
        self.start()
        self.assertTrue(self.ask("verify", "--repair", "--settle", "0s")["is_equal"])
        self.assertEqual(self.one(self.shop, "SELECT count(*) FROM customer"), 1501)

    def test_verify_names_a_difference_and_repairs_it(self):
        self.stop()
        logged = self.one(self.office, "SELECT max(id) FROM syncline_changes")
        self.write(self.office, "UPDATE customer SET points = 7",
                   "INSERT INTO customer VALUES ('bob@x', 'Bob', 2)",
                   f"DELETE FROM syncline_changes WHERE id > {logged}")  # never told
        found = self.ask("verify", "--settle", "0s", expect=1)
        differences = {one["key"]: one for one in found["datasets"][0]["differences"]}
        self.assertEqual(differences["email=bob@x"]["missing_in"], ["shop"])
        self.assertEqual(differences["email=ann@x"]["cells"],
                         [{"field": "points", "values": {"office": "7", "shop": "1"}}])
        self.refuse("verify", "--repair", "--settle", "0s", status=4, code="SYN-1003")
        self.start()
        self.assertTrue(self.ask("verify", "--repair")["is_equal"])
        self.assertEqual(self.rows(self.shop), [("ann@x", "Ann", 7), ("bob@x", "Bob", 2)])

    def test_more_differences_than_are_listed_are_repaired_in_one_call(self):
        self.stop()
        logged = self.one(self.office, "SELECT max(id) FROM syncline_changes")
        self.write(self.office, self.many(25000),
                   f"DELETE FROM syncline_changes WHERE id > {logged}")  # never told
        self.start()
        found = self.ask("verify", "--settle", "0s", expect=1)["datasets"][0]
        self.assertEqual((found["dataset"], found["missing"], found["rows_read"]),
                         ("customer", 25000, 25002))
        self.assertGreater(found["rows_per_second"], 0)
        self.assertTrue(found["is_truncated"])
        self.assertEqual(len(found["differences"]), 10000)
        told = self.call("verify", "--settle", "0s", expect=1).stdout
        self.assertIn("  ... and 24,900 more\n", told)
        self.assertRegex(told, r"customer: DIFFERENT, .*, 25,002 rows read, [\d,]+ rows/s\)")
        mended = self.ask("verify", "--repair")
        self.assertTrue(mended["is_equal"])
        self.assertFalse(mended["datasets"][0]["is_truncated"])
        self.assertEqual(self.one(self.shop, "SELECT count(*) FROM customer"), 25001)

    def test_more_changes_on_their_way_than_are_listed_settle(self):
        self.call("pause", "shop")
        self.write(self.office, self.many(25000))
        with subprocess.Popen([fixture.SYNCLINE, "verify", "--settle", "60s"], cwd=self.folder,
                              text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as verify:
            self.assertIn("customer: 25,000 records still differ", verify.stderr.readline())
            self.call("resume", "shop")
            told = verify.communicate(timeout=100)[0]
        self.assertEqual(verify.returncode, 0, told)
        self.assertIn("customer: equal, 25,001 records the same", told)

    @staticmethod
    def many(count):
        return ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
                f"{count}) INSERT INTO customer SELECT 'k' || i || '@x', 'many', i FROM n")

    def test_a_restored_system_is_compared_anew(self):
        self.stop()
        shutil.copy(self.office, self.path("old.db"))
        self.start()
        self.write(self.shop, "INSERT INTO customer VALUES ('bob@x', 'Bob', 2)",
                   "UPDATE customer SET name = 'Anna' WHERE email = 'ann@x'")
        self.write(self.office, "INSERT INTO customer VALUES ('cy@x', 'Cy', 3)",
                   "UPDATE product SET title = 'Nib'")
        self.expect_equal()
        self.expect_equal("product")
        held = self.rows(self.shop)
        self.stop()
        for name in ("office.db-wal", "office.db-shm"):
            if os.path.exists(self.path(name)):
                os.remove(self.path(name))
        shutil.copy(self.path("old.db"), self.office)
        self.start()
        self.wait(lambda: self.rows(self.office) == held)
        self.expect_equal()
        self.expect_equal("product")
        self.assertEqual(self.rows(self.shop), held)
        for words in ("SYN-3013", "an older copy was restored", "'office' went back"):
            self.assertIn(words, self.log())
        self.assertEqual(self.status_of("office")["state"], "running")
        self.assertIn("with --yes", self.call("resync", "--system", "office").stdout)
        self.refuse("resync", "--system", "offcie", "--yes", status=2, code="SYN-1002")

    def test_a_checkpoint_that_went_back_while_it_was_stopped_is_mended(self):
        self.write(self.shop, "UPDATE customer SET points = 2")
        self.expect_equal()
        self.stop()
        self.write(self.office, "UPDATE syncline_checkpoint SET seq = 0")
        self.write(self.office, "UPDATE customer SET name = 'Anna'")
        self.start()
        self.wait(lambda: self.ask("status")["state"] == "running")
        self.write(self.shop, "UPDATE customer SET points = 3")
        self.wait(lambda: self.rows(self.shop) == [("ann@x", "Anna", 3)])
        self.expect_equal()
        for words in ("SYN-3013", "no longer holds", "'office' went back"):
            self.assertIn(words, self.log())
        self.assertEqual(self.status_of("office")["state"], "running")

    def test_resync_of_a_running_appliance_deletes_nothing(self):
        self.call("resync", "--system", "shop", "--yes")
        self.write(self.office, "UPDATE customer SET points = 5")
        self.expect_equal()
        self.assertEqual(self.rows(self.shop), [("ann@x", "Ann", 5)])

    def test_resync_takes_over_no_other_change_of_the_config(self):
        self.write(self.office, "CREATE TABLE note (id TEXT PRIMARY KEY NOT NULL, text TEXT)",
                   "INSERT INTO note VALUES ('n1', 'hello')")
        self.write(self.shop, "CREATE TABLE note (id TEXT PRIMARY KEY NOT NULL, text TEXT)")
        self.set_config(self.config() + '\n[datasets.note]\nkey = ["id"]\nfirst = "office"\n'
                        '[datasets.note.on.office]\ntable = "note"\n[datasets.note.on.shop]\n'
                        'table = "note"\n')
        self.refuse("resync", "--system", "shop", "--yes", status=3, code="SYN-2003",
                    says=["'note' is new", "reload"])
        self.assertEqual(self.rows(self.shop, "note"), [])
        self.refuse("resync", "--system", "shpo", "--yes", status=2, code="SYN-1002")
        self.assertNotIn("stopping", self.log())
        self.write(self.office, "UPDATE customer SET points = 5")
        self.wait(lambda: self.rows(self.shop) == [("ann@x", "Ann", 5)])

    def test_reload_takes_over_a_policy_at_once_and_a_dataset_when_told(self):
        self.change_config('default = "newest"', 'default = "office"')
        self.daemon.send_signal(signal.SIGHUP)
        self.wait(lambda: "reloading" in self.log())
        self.wait(self.is_running)
        self.write(self.office, "CREATE TABLE note (id TEXT PRIMARY KEY NOT NULL, text TEXT)",
                   "INSERT INTO note VALUES ('n1', 'hello')")
        self.write(self.shop, "CREATE TABLE note (id TEXT PRIMARY KEY NOT NULL, text TEXT)")
        dataset = ('\n[datasets.note]\nkey = ["id"]\nfirst = "office"\n[datasets.note.on.office]\n'
                   'table = "note"\n[datasets.note.on.shop]\ntable = "note"\n')
        self.set_config(self.config() + dataset)
        self.refuse("reload", status=3, code="SYN-2003", says=["'note' is new", "--yes"])
        self.call("reload", "--yes")
        self.wait(lambda: self.rows(self.shop, "note") == [("n1", "hello")])
        self.expect_equal()

    def test_a_system_of_another_name_is_taken_over_when_told(self):
        config = self.config()
        self.set_config(config.replace("systems.shop", "systems.store").replace("on.shop",
                                                                                "on.store"))
        self.refuse("reload", status=3, code="SYN-2003",
                    says=["system 'store' is new", "system 'shop' is gone", "--yes"])
        self.set_config(config)
        self.write(self.office, "UPDATE customer SET points = 7")
        self.expect_equal()

    def test_a_broken_config_is_not_taken_over(self):
        good = self.config()
        self.change_config("[systems.shop]", "[systems.shpo]")
        self.daemon.send_signal(signal.SIGHUP)
        self.wait(lambda: "SYN-2002" in self.log())
        self.set_config(good)
        self.write(self.office, "UPDATE customer SET points = 5")
        self.expect_equal()

    def test_detach_removes_what_is_ours_and_nothing_else(self):
        running = {"status": 2, "code": "SYN-1001", "says": ["running"]}
        self.refuse("detach", "--system", "shop", "--yes", **running)
        self.daemon.send_signal(signal.SIGSTOP)  # it does not answer, but is there
        self.refuse("detach", "--system", "shop", "--yes", **running)
        self.daemon.send_signal(signal.SIGCONT)
        self.stop()
        self.assertIn("--yes", self.call("detach", "--system", "shop").stdout)
        removed = self.ask("detach", "--system", "shop", "--yes")["removed"]
        self.assertIn("syncline_checkpoint", " ".join(removed))
        self.assertEqual(self.one(self.shop, "SELECT count(*) FROM sqlite_master WHERE name LIKE "
                                             "'%syncline%'"), 0)
        self.assertEqual(self.rows(self.shop), [("ann@x", "Ann", 1)])
        self.refuse("detach", "--system", "shpo", "--yes", status=2, code="SYN-1002")

    def test_audit_while_it_runs_and_after(self):
        running = self.ask("audit", "verify")
        self.assertGreater(running["entries"], 0)
        self.stop()
        self.assertGreaterEqual(self.ask("audit", "verify")["blocks"], running["blocks"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
