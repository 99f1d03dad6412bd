#!/usr/bin/env python3
"""One user of one side's file: transactions of one to five changes, chosen by a seed, until its
standard input is closed.

    writer.py FOLDER SIDE NUMBER SEED TRANSACTIONS_PER_SECOND

Keeps a ledger, FOLDER/ledgers/SIDE-NUMBER.jsonl: one line for every change of a committed
transaction, with what the writer had read before it wrote.
"""
import json
import os
import random
import select
import sys

import office

LEDGER_FIELDS = ("tx", "dataset", "kind", "key", "saw", "wrote")


class Writer:
    def __init__(self, folder, side, number, seed):
        self.side = side
        self.name = f"{side}-{number}"
        self.dice = random.Random(f"{seed}/{self.name}")
        self.database = office.connect(office.path_of(folder, side))
        self.ledger = open(os.path.join(folder, "ledgers", self.name + ".jsonl"), "a",
                           encoding="utf-8")
        self.number = number
        self.transactions = 0
        self.values = 0
        self.pending = []

    def value(self, field):
        self.values += 1
        return f"{field}:{self.name}:{self.values}"

    def read(self, dataset, key):
        row = self.database.execute(f"SELECT * FROM {dataset} WHERE key = ?", (key,)).fetchone()
        return None if row is None else list(row[1:])

    def note(self, dataset, kind, key, saw, wrote):
        self.pending.append((dataset, kind, key, saw, wrote))

    def insert(self, dataset, key, saw=None):
        """saw is what it replaces."""
        wrote = [self.value(field) for field in office.FIELDS[dataset]]
        places = ", ".join("?" * (len(wrote) + 1))
        word = "INSERT" if saw is None else "INSERT OR REPLACE"
        self.database.execute(f"{word} INTO {dataset} VALUES ({places})", (key, *wrote))
        self.note(dataset, "insert" if saw is None else "update", key, saw, wrote)

    def update(self, dataset, key, saw):
        wrote = list(saw)
        free = [i for i, field in enumerate(office.FIELDS[dataset]) if field != "life"]
        chosen = self.dice.sample(free, self.dice.randint(1, len(free)))
        for i in chosen:
            wrote[i] = self.value(office.FIELDS[dataset][i])
        sets = ", ".join(f"{office.FIELDS[dataset][i]} = ?" for i in chosen)
        self.database.execute(f"UPDATE {dataset} SET {sets} WHERE key = ?",
                              (*(wrote[i] for i in chosen), key))
        self.note(dataset, "update", key, saw, wrote)

    def delete(self, dataset, key, saw):
        self.database.execute(f"DELETE FROM {dataset} WHERE key = ?", (key,))
        self.note(dataset, "delete", key, saw, None)

    def rekey(self, dataset, key, other, saw):
        """The record as it is, under another key: for that key an insert of the same values."""
        wrote = [self.value(field) for field in office.FIELDS[dataset]]
        sets = ", ".join(f"{field} = ?" for field in office.FIELDS[dataset])
        self.database.execute(f"UPDATE {dataset} SET key = ?, {sets} WHERE key = ?",
                              (other, *wrote, key))
        self.note(dataset, "delete", key, saw, None)
        self.note(dataset, "insert", other, None, wrote)

    def change(self):
        kind = self.dice.random()
        if kind < 0.35:
            dataset = "owned"
            key = f"{self.side}-{self.dice.randrange(office.OWNED_KEYS)}"
        elif kind < 0.65:
            dataset, key = "hot", f"h{self.dice.randrange(office.HOT_KEYS)}"
        elif kind < 0.85:
            dataset, key = "keen", f"k{self.dice.randrange(office.KEEN_KEYS)}"
        else:
            dataset, key = "tally", f"t{self.dice.randrange(office.TALLY_KEYS)}"
        saw = self.read(dataset, key)
        how = self.dice.random()
        if saw is None:
            if dataset != "tally":  # before the first sync a side may lack nothing there
                self.insert(dataset, key)
        elif dataset == "tally" or how < 0.6:
            self.update(dataset, key, saw)
        elif how < 0.8:
            self.delete(dataset, key, saw)
            if self.dice.random() < 0.4:
                self.insert(dataset, key)
        elif how < 0.9:
            self.insert(dataset, key, saw)
        else:
            stem = key.rstrip("0123456789")
            other = stem + str(self.dice.randrange(8))
            if other != key and self.read(dataset, other) is None:
                self.rekey(dataset, key, other, saw)

    def transact(self):
        self.transactions += 1
        tx = f"{self.name}:{self.transactions}"
        self.pending = []
        self.database.execute("BEGIN IMMEDIATE")
        self.database.execute("UPDATE torture_now SET tx = ?", (tx,))
        for _ in range(self.dice.choice((1, 1, 1, 2, 3, 5))):
            self.change()
        self.database.execute("UPDATE torture_now SET tx = NULL")
        if self.dice.random() < 0.03:
            self.database.execute("ROLLBACK")
            return
        self.database.execute("COMMIT")
        for change in self.pending:
            self.ledger.write(json.dumps(dict(zip(LEDGER_FIELDS, (tx, *change)))) + "\n")
        self.ledger.flush()

    def run(self, per_second):
        """Until standard input ends. The pauses vary, so that both sides meet in every way."""
        while not select.select([sys.stdin], [], [], self.dice.expovariate(per_second))[0]:
            self.transact()


if __name__ == "__main__":
    Writer(*sys.argv[1:4], sys.argv[4]).run(float(sys.argv[5]))
