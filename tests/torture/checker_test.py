#!/usr/bin/env python3
"""The torture's checker finds what it is there to find: a short, good history, broken in every way
that it looks for. What it does not find here it would not find in a torture."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import checker
import office
import writer


class Checker(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="syncline-checker-")
        self.addCleanup(shutil.rmtree, self.folder)
        office.make_office(self.folder, 20)
        self.files = {side: office.connect(office.path_of(self.folder, side))
                      for side in office.SIDES}
        self.addCleanup(lambda: [file.close() for file in self.files.values()])
        self.writers = {side: writer.Writer(self.folder, side, 0, "1") for side in office.SIDES}
        self.addCleanup(lambda: [one.ledger.close() or one.database.close()
                                 for one in self.writers.values()])
        for dataset in ("hot", "keen", "bulk"):  # a first sync: the office's stand
            rows = self.rows("shop", dataset) | self.rows("office", dataset)
            for side in office.SIDES:
                for key, cells in rows.items():
                    self.put(side, dataset, key, cells)
        self.ends = {side: file.execute("SELECT max(n) FROM torture_history").fetchone()[0]
                     for side, file in self.files.items()}
        self.save("live.json", self.ends)
        self.save("idle.json", {"at_rest": self.ends, "later": self.ends})
        counts = {"entries_read_total": 7, "entries_delivered_total": 6, "entries_skipped_total": 1,
                  "pending_entries": 0}
        self.save("status.json", {"systems": [{"name": side, "state": "running",
                                               "delivery": counts} for side in office.SIDES]})
        self.save("conflicts.json", [])
        self.save("quarantine.json", [])

    def save(self, name, what):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            json.dump(what, file)

    def rows(self, side, dataset):
        return {key: cells for key, *cells in
                self.files[side].execute(f"SELECT * FROM {dataset}")}

    def put(self, side, dataset, key, cells):
        """As Syncline writes: in no writer's transaction. cells None: a delete."""
        file = self.files[side]
        if cells is None:
            file.execute(f"DELETE FROM {dataset} WHERE key = ?", (key,))
            return
        sets = ", ".join(f"{field} = ?" for field in office.FIELDS[dataset])
        if self.rows(side, dataset).get(key) == list(cells):
            return
        if file.execute(f"UPDATE {dataset} SET {sets} WHERE key = ?",
                        (*cells, key)).rowcount == 0:
            file.execute(f"INSERT INTO {dataset} VALUES ({', '.join('?' * (len(cells) + 1))})",
                         (key, *cells))

    def user(self, side, verb, dataset, key, is_synced=True):
        """One change by a writer, and its way to the other side. Returns the record's state."""
        one = self.writers[side]
        one.change = lambda: getattr(one, verb)(
            dataset, key, *(() if verb == "insert" else (one.read(dataset, key),)))
        one.dice.choice = lambda _: 1
        one.dice.random = lambda: 0.5
        one.transact()
        cells = self.rows(side, dataset).get(key)
        if is_synced:
            self.put(other(side), dataset, key, cells)
        return cells

    def story(self):
        """A good one, with everything in it that the tests break."""
        self.states = [self.user("office", "insert", "owned", "office-1")]
        self.states += [self.user("office", "update", "owned", "office-1") for _ in range(2)]
        for dataset, key in (("hot", "h0"), ("keen", "k0")):
            self.user("office", "delete", dataset, key)
            self.user("shop", "insert", dataset, key)
            self.user("office", "update", dataset, key)
        self.user("shop", "update", "tally", "t0")

    def found(self):
        return checker.run_as_program(self.folder)[0]

    def expect(self, text):
        found = self.found()
        self.assertTrue(any(text in line for line in found), f"{text!r} is not in {found}")

    def both(self, dataset, key, cells):
        for side in office.SIDES:
            self.put(side, dataset, key, cells)

    def test_a_good_history_is_good(self):
        self.story()
        self.assertEqual(self.found(), [])

    def test_a_lost_change(self):
        self.story()
        self.user("office", "update", "owned", "office-1", is_synced=False)
        self.expect("1 nothing lost: owned office-1")
        self.expect("4 equal at rest: owned office-1")

    def test_a_lost_record(self):
        self.story()
        self.both("hot", "h2", None)
        self.expect("1 nothing lost: hot h2 is gone")

    def test_an_update_that_is_overwritten_by_what_its_writer_had_read(self):
        self.story()
        before = self.rows("office", "hot")["h0"]
        self.user("office", "update", "hot", "h0")
        self.both("hot", "h0", before)
        self.expect("1 nothing lost: hot h0")

    def test_the_older_of_two_values_stands(self):
        self.story()
        older = self.user("shop", "update", "tally", "t1", is_synced=False)
        self.files["shop"].execute("UPDATE torture_history SET at = at - 60000 WHERE key = 't1'")
        self.user("office", "update", "tally", "t1", is_synced=False)
        self.both("tally", "t1", older)
        self.expect("1 nothing lost: tally t1")

    def test_an_invented_value(self):
        self.story()
        self.both("hot", "h0", ["life:nobody", "a", "b"])
        self.expect("2 nothing invented: hot h0")

    def test_a_write_where_the_only_writer_lives(self):
        self.story()
        self.put("office", "owned", "office-1", self.states[0])
        self.expect("2 nothing invented: Syncline wrote")

    def test_an_effect_that_happens_twice(self):
        self.story()
        self.put("shop", "owned", "office-1", self.states[1])
        self.put("shop", "owned", "office-1", self.states[2])
        self.expect("3 no effect twice")

    def test_a_record_that_makes_room_for_its_next_row_is_not_gone(self):
        self.story()
        state = self.user("office", "update", "owned", "office-1", is_synced=False)
        self.put("shop", "owned", "office-1", None)
        self.put("shop", "owned", "office-1", state)
        self.assertEqual(self.found(), [])
        state = self.user("office", "update", "owned", "office-1", is_synced=False)
        self.put("shop", "owned", "office-1", None)
        self.files["shop"].execute("UPDATE torture_history SET at = at - 60000 "
                                   "WHERE n = (SELECT max(n) FROM torture_history)")
        self.put("shop", "owned", "office-1", state)
        self.expect("owned office-1 in the shop went back to None")

    def test_a_deleted_record_comes_back(self):
        self.story()
        for dataset, key in (("hot", "h2"), ("keen", "k2"), ("owned", "office-1")):
            before = self.rows("office", dataset)[key]
            self.user("office", "delete", dataset, key)
            self.both(dataset, key, before)
            self.expect(f"5 no record comes back: {dataset} {key}")

    def test_an_update_that_wins_over_a_delete(self):
        """update_wins: a value that the delete had not seen may bring a record back."""
        before = self.user("shop", "update", "keen", "k2", is_synced=False)
        self.user("office", "delete", "keen", "k2", is_synced=False)
        self.both("keen", "k2", before)
        self.assertEqual(self.found(), [])

    def test_writes_while_nobody_does_anything(self):
        self.story()
        self.save("idle.json", {"at_rest": self.ends,
                                "later": {side: end + 1 for side, end in self.ends.items()}})
        self.expect("8 no echo: 1 writes to the office")

    def test_a_first_sync_that_takes_the_wrong_side(self):
        self.both("bulk", "b000010", ["a:shop:10"])
        self.both("bulk", "b000000", ["a:shop:0"])
        self.expect("4 first sync: bulk b000000")

    def test_accounts_that_do_not_add_up(self):
        with open(os.path.join(self.folder, "status.json"), encoding="utf-8") as file:
            status = json.load(file)
        status["systems"][0]["delivery"]["entries_delivered_total"] -= 1
        status["systems"][1]["state"] = "stopped"
        self.save("status.json", status)
        self.expect("1 nothing lost: the office's delivery")
        self.expect("13 catches up: shop is stopped")

    def test_quarantine_and_conflicts(self):
        self.save("quarantine.json", [{"id": "1"}])
        self.expect("1 nothing lost: in quarantine")
        side = {"system": "office", "value": "a:nobody", "version": ""}
        self.save("conflicts.json", [{"dataset": "hot", "key": "key='h0'", "policy": "newest",
                                      "outcome": "arriving_wins", "winner": side,
                                      "loser": {"deleted": True}}])
        self.expect("9 both sides: the winner of hot h0")

    def test_a_ledger_that_the_file_does_not_bear_out(self):
        self.story()
        self.files["shop"].execute("DELETE FROM torture_history WHERE tx IS NOT NULL")
        self.expect("0 ledger: shop's file does not know")

    def test_the_program_ends_with_a_status(self):
        self.story()
        program = [sys.executable, checker.__file__, self.folder]
        self.assertEqual(subprocess.run(program, stdout=subprocess.DEVNULL, check=False)
                         .returncode, 0)
        self.both("hot", "h2", None)
        self.assertEqual(subprocess.run(program, stdout=subprocess.DEVNULL, check=False)
                         .returncode, 1)


def other(side):
    return office.SIDES[1 - office.SIDES.index(side)]


if __name__ == "__main__":
    unittest.main(verbosity=2)
