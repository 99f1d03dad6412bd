#!/usr/bin/env python3
"""Decides whether a torture kept Syncline's promises (design, section 9). Shares no code with it.

    checker.py FOLDER      exit 0: nothing found, 1: broken promises, one a line

Reads what both files hold and their histories, what the writers' ledgers say they had read and
wrote, first.json (what was there before), and what the driver saw: live.json (how far each history
had come when the first sync was known to be over), idle.json (the histories' ends, at rest and a
while later), status.json, conflicts.json, quarantine.json.
"""
import json
import os
import sqlite3
import subprocess
import sys
from collections import defaultdict

import office

TIES_MS = 5  # writes as close as this are a tie: nobody can say which was the later


class Op:
    """One change of one writer, as its file's history and its own ledger tell it."""

    def __init__(self, n, tx, at, kind, old, new):
        self.n, self.tx, self.at, self.kind, self.old, self.new = n, tx, at, kind, old, new


class Run:
    """All that is known of one torture."""

    def __init__(self, folder):
        self.folder = folder
        self.first = self.load("first.json")
        self.live = self.load("live.json")
        self.rows = {side: self.read_rows(side) for side in office.SIDES}
        self.history = {side: self.read_history(side) for side in office.SIDES}
        self.ledgers = {side: self.read_ledgers(side) for side in office.SIDES}

    def load(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return json.load(file)

    def open(self, side):
        return sqlite3.connect(office.path_of(self.folder, side))

    def read_rows(self, side):
        database = self.open(side)
        return {dataset: {row[0]: list(row[1:]) for row in
                          database.execute(f"SELECT * FROM {dataset}")}
                for dataset in office.FIELDS}

    def read_history(self, side):
        """{(dataset, key): [Op]}, in the file's order; tx None: Syncline's."""
        history = defaultdict(list)
        rows = self.open(side).execute(
            "SELECT n, tx, at, kind, old, new, dataset, key FROM torture_history ORDER BY n")
        for n, tx, at, kind, old, new, dataset, key in rows:
            history[dataset, key].append(Op(n, tx, at, kind, old and json.loads(old),
                                            new and json.loads(new)))
        return history

    def read_ledgers(self, side):
        entries = []
        folder = os.path.join(self.folder, "ledgers")
        for name in sorted(os.listdir(folder)):
            if not name.startswith(side + "-"):
                continue
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                entries += [json.loads(line) for line in file]
        return entries

    def records(self, dataset):
        keys = {key for side in office.SIDES for name, key in self.history[side]
                if name == dataset}
        for side in office.SIDES:
            keys |= self.first[side][dataset].keys() | self.rows[side][dataset].keys()
        return sorted(keys)

    def users(self, side, dataset, key):
        return [op for op in self.history[side].get((dataset, key), []) if op.tx is not None]


def check_ledgers(run):
    """The two tellings of one thing agree: otherwise nothing else here can be trusted."""
    for side in office.SIDES:
        told = defaultdict(list)
        for (dataset, key), ops in run.history[side].items():
            for op in ops:
                if op.tx is not None:
                    told[op.tx, dataset, key].append((op.n, op))
        for entry in run.ledgers[side]:
            ops = told.pop((entry["tx"], entry["dataset"], entry["key"]), None)
            if ops is None:
                if (entry["tx"], entry["dataset"], entry["key"]) not in run.seen_in_ledger:
                    yield (f"0 ledger: {side}'s file does not know of {entry['tx']} on "
                           f"{entry['dataset']} {entry['key']}, which was committed")
                continue
            run.seen_in_ledger.add((entry["tx"], entry["dataset"], entry["key"]))
            is_replace = entry["kind"] == "update" and ops[0][1].kind == "insert"
            if ops[0][1].old != entry["saw"] and not is_replace:
                yield f"0 ledger: {entry['tx']} read {entry['saw']}, the file {ops[0][1].old}"
        for tx, dataset, key in told:
            yield f"0 ledger: {side}'s file tells of {tx} on {dataset} {key}; no writer does"


def check_equal(run):
    for dataset in office.FIELDS:
        left, right = (run.rows[side][dataset] for side in office.SIDES)
        for key in sorted(left.keys() | right.keys()):
            if left.get(key) != right.get(key):
                yield (f"4 equal at rest: {dataset} {key} is {left.get(key)} in the office, "
                       f"{right.get(key)} in the shop")


def committed_states(run, side, dataset, key):
    """What each transaction left of a record in its own file, in order."""
    states = [("first", run.first[side][dataset].get(key))]
    for op in run.history[side].get((dataset, key), []):
        if states[-1][0] == op.tx:
            states.pop()
        states.append((op.tx, op.new))
    return [state for _, state in states]


def without_renewals(ops):
    """A record whose row makes room for another, in one transaction of Syncline's, is not gone."""
    for op, after in zip(ops, [*ops[1:], None]):
        is_renewed = (op.tx is None and op.new is None and after is not None and after.tx is None
                      and after.old is None and after.at - op.at <= TIES_MS)
        if not is_renewed:
            yield op


def check_owned(run):
    """Nobody but its owner writes such a record: what the other side shows is strict."""
    for key in run.records("owned"):
        owner = key.split("-")[0]
        other = office.SIDES[1 - office.SIDES.index(owner)]
        for op in run.history[owner].get(("owned", key), []):
            if op.tx is None:
                yield (f"2 nothing invented: Syncline wrote {op.new} over {op.old} to owned {key} "
                       f"in the {owner}, where its only writer lives")
        states = committed_states(run, owner, "owned", key)
        at = 0
        for op in without_renewals(run.history[other].get(("owned", key), [])):
            if op.tx is not None:
                yield f"0 ledger: {op.tx} wrote to owned {key} of the {owner}"
            elif op.new in states[at + 1:]:
                at = states.index(op.new, at + 1)
            elif op.new in states:
                yield (f"3 no effect twice, 7 order: owned {key} in the {other} went back to "
                       f"{op.new} (history {op.n})")
            else:
                yield (f"2 nothing invented: owned {key} became {op.new} in the {other}; it never "
                       f"was that in the {owner}")
        if run.rows[owner]["owned"].get(key) != states[-1]:
            yield f"0 ledger: owned {key} is not what its history ends with"
        if run.rows[other]["owned"].get(key) != states[-1]:
            yield (f"1 nothing lost: owned {key} is {run.rows[other]['owned'].get(key)} in the "
                   f"{other}, its owner's last is {states[-1]}")


def written_cells(run, dataset, key):
    """Every value that a cell was ever given, by a writer or at the start: [set], one a field."""
    written = [set() for _ in office.FIELDS[dataset]]
    for side in office.SIDES:
        states = [run.first[side][dataset].get(key)]
        states += [op.new for op in run.users(side, dataset, key)]
        for state in states:
            for cells, value in zip(written, state or []):
                cells.add(value)
    return written


def shown_before(ops):
    """(op of a writer, what its file had last shown of the record), also where it was gone."""
    last = None
    for op in ops:
        before = op.old if op.old is not None else last
        if op.tx is not None:
            yield op, before
        last = op.new if op.new is not None else op.old or last


def overwritten_cells(run, dataset, key):
    """Values that a writer had read, and given another in their place: [{value: op}].

    Before the first sync is over the config's `first` decides. And SQLite is read by states: an
    update with a delete close behind it shows as the delete alone, so where update_wins brings such
    a record back it is the one before that update.
    """
    gone = [{} for _ in office.FIELDS[dataset]]
    for side in office.SIDES:
        deletes = [op.n for op in run.users(side, dataset, key) if op.new is None]
        hidden = deletes[-1] if dataset == "keen" and deletes else 0
        for op, before in shown_before(run.history[side].get((dataset, key), [])):
            if op.n <= max(run.live[side], hidden) or op.new is None:
                continue
            for cells, old, new in zip(gone, before or [], op.new):
                if old != new:
                    cells[old] = op
    return gone


def check_values(run):
    for dataset in office.FIELDS:
        for key in run.records(dataset):
            written = written_cells(run, dataset, key)
            gone = overwritten_cells(run, dataset, key)
            final = run.rows["office"][dataset].get(key)
            for side in office.SIDES:
                for op in run.history[side].get((dataset, key), []):
                    if op.tx is not None or op.new is None:
                        continue
                    for field, values, value in zip(office.FIELDS[dataset], written, op.new):
                        if value not in values:
                            yield (f"2 nothing invented: {dataset} {key} .{field} became {value} "
                                   f"in the {side}; no writer wrote that")
            for i, value in enumerate(final or []):
                if value in gone[i]:
                    op = gone[i][value]
                    yield (f"1 nothing lost: {dataset} {key} .{office.FIELDS[dataset][i]} is "
                           f"{value}, which {op.tx} had read and overwritten with {op.new[i]}")


def check_deletes(run):
    for dataset in ("owned", "hot", "keen"):
        for key in run.records(dataset):
            final = run.rows["office"][dataset].get(key)
            if final is None:
                yield from check_gone(run, dataset, key)
                continue
            for side in office.SIDES:
                for op in run.users(side, dataset, key):
                    if op.kind != "delete" or op.n <= run.live[side] or op.old[0] != final[0]:
                        continue
                    has_news = any(old != new for old, new in zip(op.old, final))
                    if dataset != "keen" or not has_news:
                        yield (f"5 no record comes back: {dataset} {key} is {final}; {op.tx} "
                               f"deleted {op.old}")


def last_word(run, side, dataset, key):
    """The last of a side's users to make or delete the record. To write to one that is there, as
    INSERT OR REPLACE also does, is neither."""
    last = None
    is_there = key in run.first[side][dataset]
    for op in run.history[side].get((dataset, key), []):
        if op.tx is not None and is_there != (op.new is not None):
            last = op
        is_there = op.new is not None
    return last


def check_gone(run, dataset, key):
    """A record that is gone was deleted by somebody who made nothing in its place.

    SQLite is read by states: a delete with an insert close behind it, over a row of ours that had
    come late, shows as a change of the life that somebody else had ended. That is a conflict, and
    as such it must stand in the record of conflicts.
    """
    words = [last_word(run, side, dataset, key) for side in office.SIDES]
    was_there = any(words) or any(key in run.first[side][dataset] for side in office.SIDES)
    is_deleted = any(op is not None and op.new is None for op in words)
    lost = {conflict["loser"].get("value") for conflict in run.load("conflicts.json")}
    has_delete = any(op.new is None for side in office.SIDES
                     for op in run.users(side, dataset, key))
    is_told = has_delete and any(op is not None and op.new is not None and op.new[0] in lost
                                 for op in words)
    if was_there and not is_deleted and not is_told:
        yield f"1 nothing lost: {dataset} {key} is gone, and nobody's last word on it was a delete"


def check_tally(run):
    """One cell, only updated: of the values that nobody overwrote the latest stands."""
    for key in run.records("tally"):
        gone = overwritten_cells(run, "tally", key)[0]
        standing = [(op.at, op.new[0]) for side in office.SIDES
                    for op in run.users(side, "tally", key)
                    if op.n > run.live[side] and op.new[0] not in gone]
        final = run.rows["office"]["tally"].get(key)
        if final is None:
            yield f"1 nothing lost: tally {key} is gone"
            continue
        latest = max(standing, default=(0, None))
        mine = dict((value, at) for at, value in standing).get(final[0], 0)
        if standing and mine < latest[0] - TIES_MS:
            yield (f"1 nothing lost: tally {key} is {final[0]}; {latest[1]} was written "
                   f"{latest[0] - mine} ms later and nobody overwrote it")


def check_bulk(run):
    for key in run.records("bulk"):
        wanted = next(run.first[side]["bulk"][key] for side in office.SIDES
                      if key in run.first[side]["bulk"])
        for side in office.SIDES:
            if run.rows[side]["bulk"].get(key) != wanted:
                yield (f"4 first sync: bulk {key} is {run.rows[side]['bulk'].get(key)} in the "
                       f"{side}, not {wanted}")


def check_accounts(run):
    """What the appliance itself counts: everything captured came to an end that it can name."""
    status = run.load("status.json")
    for system in status["systems"]:
        counted = system["delivery"]
        ends = sum(counted[name] for name in ("entries_delivered_total", "entries_skipped_total",
                                              "pending_entries"))
        if counted["entries_read_total"] != ends:
            yield f"1 nothing lost: the {system['name']}'s delivery does not add up: {counted}"
        if counted["pending_entries"] != 0:
            yield f"13 catches up: {counted['pending_entries']} entries wait for {system['name']}"
        if system["state"] != "running":
            yield f"13 catches up: {system['name']} is {system['state']}: {system.get('error')}"
    for skip in run.load("quarantine.json"):
        yield f"1 nothing lost: in quarantine, though every value fits everywhere: {skip}"


def check_idle(run):
    idle = run.load("idle.json")
    for side in office.SIDES:
        if idle["later"][side] != idle["at_rest"][side]:
            yield (f"8 no echo: {idle['later'][side] - idle['at_rest'][side]} writes to the "
                   f"{side} while nobody did anything")


def check_conflicts(run):
    for conflict in run.load("conflicts.json"):
        dataset, key = conflict["dataset"], conflict["key"]
        if dataset not in office.FIELDS:
            yield f"9 both sides: a conflict of no dataset: {conflict}"
            continue
        if not conflict["policy"] or not conflict["outcome"]:
            yield f"9 both sides: a conflict without policy or outcome: {conflict}"
        key = key.removeprefix("key=").strip("'")
        written = {value for cells in written_cells(run, dataset, key) for value in cells}
        for end in ("winner", "loser"):
            side = conflict[end]
            if not side.get("deleted") and side.get("value") not in written:
                yield f"9 both sides: the {end} of {dataset} {key} is {side}; nobody wrote that"


CHECKS = (check_ledgers, check_equal, check_owned, check_values, check_deletes, check_tally,
          check_bulk, check_accounts, check_idle, check_conflicts)


def check(folder):
    run = Run(folder)
    run.seen_in_ledger = set()
    found = [violation for one in CHECKS for violation in one(run)]
    ops = sum(len(entries) for entries in run.ledgers.values())
    writes = sum(op.tx is None for side in office.SIDES for ops_of in run.history[side].values()
                 for op in ops_of)
    return found, {"changes": ops, "syncline_writes": writes,
                   "conflicts": len(run.load("conflicts.json"))}


def run_as_program(folder):
    """The checker as a process of its own. Returns (violations, counts)."""
    done = subprocess.run([sys.executable, os.path.abspath(__file__), folder], check=False,
                          capture_output=True, text=True)
    lines = done.stdout.splitlines()
    if done.returncode not in (0, 1) or not lines:
        return [f"0 checker: it ended with {done.returncode}: {done.stderr[-1000:]}"], {}
    return lines[:-1], json.loads(lines[-1])


def main(arguments):
    if len(arguments) != 1:
        sys.exit(__doc__)
    found, counts = check(arguments[0])
    for violation in found:
        print("BROKEN", violation)
    print(json.dumps(counts))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
