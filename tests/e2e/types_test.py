#!/usr/bin/python3
"""Every type that docs/types.md maps, in every direction: value -> A -> Syncline -> B -> Syncline
-> A is the same, or it is quarantined with the reason.

    types_test.py PATH/TO/syncline

A table for each pair of systems and one for all three. A row holds one value, the others NULL; some
hold a value in each column. Half of them are there before the first sync, half come while it runs.
SYNCLINE_TYPES_SEED chooses the random values, SYNCLINE_TYPES_ROWS how many there are of each field
beside the fixed ones.
"""
import os
import random
import threading
import time
import unittest
from dataclasses import dataclass

from fixture import SECONDS, Appliance
from typed_fields import FIELDS, KEYS, ZERO_DATES
from typed_systems import SYSTEMS

SEED = int(os.environ.get("SYNCLINE_TYPES_SEED", "1"))
ROWS = int(os.environ.get("SYNCLINE_TYPES_ROWS", "2"))
PART = 1_000_000  # where the numbers of a system's rows begin, times its place
COPY = 100_000    # how far behind a row its copy by another system is, times its place from one on
STILL_SECONDS = 3
QUIET_SECONDS = 1.5
SHOWN_FAULTS = 60


@dataclass
class Row:
    number: int
    cells: dict   # by the field's name
    refused: str  # the systems that cannot hold or give it


class Table:
    def __init__(self, pair, fields=FIELDS, kind="types", share=1):
        """share: it has one in so many of the values."""
        self.pair, self.name, self.share = pair, f"{pair}_{kind}", share
        self.fields = {f"{self.name}_{field.name}": field for field in fields
                       if set(pair) <= set(field.columns) and field.without != pair}

    def first(self, letter):
        return PART * self.pair.index(letter)

    def last(self, letter):
        return self.first(letter) + COPY - 1

    def distance(self, letter):
        return COPY * (1 + self.pair.index(letter))

    def columns(self, letter):
        return [(name, field.columns[letter]) for name, field in self.fields.items()]

    def make_rows(self, letter):
        """One for each value, and some with a value of each field that all can hold."""
        number, rows, whole = self.first(letter), [], [{} for _ in range(ROWS)]
        for name, field in self.fields.items():
            dice = random.Random(f"{SEED} {self.pair} {letter} {field.name}")
            held, refused = [], []
            for value in field.values(dice, ROWS):
                if isinstance(value.what, dict) and letter not in value.what:
                    continue
                what = value.what[letter] if isinstance(value.what, dict) else value.what
                if set(value.refused) & set(self.pair):
                    refused.append((what, value.refused))
                else:
                    held.append((what, ""))
            if self.share > 1:
                held = dice.sample(held, (len(held) + self.share - 1) // self.share)
            # Each refusal costs another transaction: with few rows, one field in three has one.
            wanted = max(ROWS // 8 or dice.randrange(3) // 2, int(field.is_finer))
            refused = dice.sample(refused, min(len(refused), wanted))
            for what, by in held + refused:
                rows.append(Row(number := number + 1, {name: what}, by))
            for cells in whole:
                cells[name] = dice.choice(held)[0]
        return rows + [Row(number := number + 1, cells, "") for cells in whole]


def setUpModule():
    os.environ["TZ"] = "Europe/Zurich"  # the servers' own zone, with hours that are not there
    WithSystems.systems = {letter: system() for letter, system in SYSTEMS.items()}
    for system in WithSystems.systems.values():
        unittest.addModuleCleanup(system.remove)


class WithSystems(Appliance):
    systems = {}

    def setUp(self):
        super().setUp()
        self.faults = []
        for system in self.systems.values():
            system.begin(self.folder)
            self.addCleanup(system.end)

    def run_it(self, insert):
        """Half of the rows are there before the first sync, half come while it runs."""
        insert(half=0)
        self.call("plan")
        self.start()
        self.wait(lambda: self.ask("status")["state"] == "running", 3 * SECONDS)
        insert(half=1)

    def is_at_rest(self):
        return self.control("at_rest")["at_rest"]

    def settle(self, holds):
        """What has not come when nothing has moved for a while does not come."""
        deadline, still_since = time.monotonic() + 3 * SECONDS, None
        pause = threading.Event()
        while not holds() and time.monotonic() < deadline:
            if not self.is_at_rest():
                still_since = None
            elif still_since is None:
                still_since = time.monotonic()
            elif time.monotonic() - still_since > STILL_SECONDS:
                return
            pause.wait(0.1)


    def see_that_nothing_moves(self):
        def writes():
            return [system.writes() for system in self.systems.values()]
        self.wait(self.is_at_rest)
        before = writes()
        threading.Event().wait(QUIET_SECONDS)
        if writes() != before:
            self.faults.append(f"writes while nobody writes: {before} {writes()}")

    def expect_no_faults(self):
        self.assertFalse(self.faults, f"SYNCLINE_TYPES_SEED={SEED} SYNCLINE_TYPES_ROWS={ROWS}: "
                         f"{len(self.faults)} faults\n" + "\n".join(self.faults[:SHOWN_FAULTS]))


class Types(WithSystems):
    # The tables, the config, and what users insert.

    def make(self):
        self.tables = self.choose()
        for table in self.tables:
            for letter in table.pair:
                self.systems[letter].create(table.name, table.columns(letter))
        self.init(*[system.url for system in self.systems.values()])
        self.configure()
        self.assertNotIn("exclude", self.config())
        self.rows = {(table, letter): table.make_rows(letter)
                     for table in self.tables for letter in table.pair}

    def choose(self):
        """The pairs have all values, and so all three need not."""
        return [*map(Table, ("pm", "ps", "ms")), Table("pms", share=3),
                Table("pm", ZERO_DATES, "zeros")]

    def configure(self):
        for table in self.tables:
            self.declare(table)
        self.change_config("[datasets.pm_zeros]\n",
                           "[datasets.pm_zeros]\nzero_dates = \"null\"\n")

    def declare(self, table):
        """What the columns alone do not say, and init left out for that."""
        types = {name: field.declared for name, field in table.fields.items()
                 if field.declared and "p" in table.pair}
        if types:
            names = ", ".join(f'"{name}"' for name in sorted(types)
                              if not self.fits(table.fields[name]))
            self.change_config(f"exclude = [{names}]\n", "")
            if table.pair == "pm":
                self.refuse("plan", status=4, code="SYN-3003",
                            says=[f"{table.name}_xml is xml", "exclude"])
            self.set_config(self.config() + f"[datasets.{table.name}.types]\n" + "".join(
                f'{name} = "{kind}"\n' for name, kind in types.items()))

    @staticmethod
    def fits(field):
        """Its columns have a type in common, which the declared one is finer than."""
        return field.is_finer and field.name != "ivm0"

    def insert(self, half):
        """What a system itself does not take is none of ours."""
        for (table, letter), rows in self.rows.items():
            made = rows[half::2]
            taken = set(self.systems[letter].insert(
                table.name, [(row.number, row.cells) for row in made]))
            rows[half::2] = [row if row.number in taken else None for row in made]

    def fault(self, table, row, source, target, what):
        cells = ", ".join(f"{name} = {value!r:.100}" for name, value in row.cells.items())
        kinds = ""
        if len(row.cells) == 1:
            field = table.fields[next(iter(row.cells))]
            kinds = f" ({field.columns[source]} -> {field.columns[target]})"
        self.faults.append(f"{source} -> {target} {row.number}: {cells[:200]}{kinds}: {what}")

    def directions(self):
        for (table, source), rows in self.rows.items():
            for target in table.pair.replace(source, ""):
                yield table, source, target, rows

    # What comes to the others, and what does not.

    def see_what_comes(self):
        self.settle(self.is_all_there)
        self.wait(self.is_at_rest)  # what is refused is known, too
        kept = {(item["dataset"], item["system"], item["key"]): item["reason"]
                for item in self.quarantined()}
        for table, source, target, rows in self.directions():
            there = self.there(table, source, target)
            for row in rows:
                at = source if source in row.refused else target
                reason = kept.get((table.name, self.systems[at].name, f"id={row.number}"))
                if row.refused and at in row.refused:
                    if row.number in there or reason is None:
                        self.fault(table, row, source, target, "it is not in quarantine" + (
                            ", but came" if row.number in there else ""))
                    elif not self.names(table, row, at, reason):
                        self.fault(table, row, source, target, "unnamed field: " + reason)
                elif row.number not in there:
                    self.fault(table, row, source, target, f"it did not come: {reason}")

    @staticmethod
    def names(table, row, at, reason):
        """The field, or the domain that its column is of."""
        name = next(iter(row.cells))
        return name in reason or f"domain {table.fields[name].columns[at]} " in reason

    def quarantined(self):
        return self.ask("quarantine", "list", "--limit", "1000000")

    def there(self, table, source, target):
        return self.systems[target].numbers(table.name, table.first(source), table.last(source))

    def is_all_there(self):
        return all({row.number for row in rows if source not in row.refused
                    and target not in row.refused} <= self.there(table, source, target)
                   for table, source, target, rows in self.directions())

    def see_that_copies_are_the_same(self):
        """Made by the one from what came to it, seen by the other beside what it was there."""
        for table, source, target, _ in self.directions():
            self.systems[target].copy(table.name, table.first(source), table.last(source),
                                      table.distance(target))
        self.settle(lambda: all(
            len(self.copies(table, source, target)) == len(self.there(table, source, target))
            for table, source, target, _ in self.directions()))
        kept = {(item["dataset"], item["system"], item["key"]): item["reason"]
                for item in self.quarantined()}
        for table, source, target, rows in self.directions():
            there, copies = self.there(table, source, target), self.copies(table, source, target)
            before, distance = self.before[table, source], table.distance(target)
            for row in rows:
                copy = copies.get(row.number + distance)
                if copy is not None:
                    self.compare(table, row, source, target, before[row.number], copy)
                elif row.number in there:
                    self.fault(table, row, source, target, "its copy did not come: {}".format(
                        kept.get((table.name, self.systems[source].name,
                                  f"id={row.number + distance}"))))

    def copies(self, table, source, target):
        distance = table.distance(target)
        return self.systems[source].cells(table.name, table.first(source) + distance,
                                          table.last(source) + distance)

    def compare(self, table, row, source, target, before, after):
        for name, field in table.fields.items():
            shown, copied = (field.canonical(source, cells[name]) for cells in (before, after))
            if shown != copied:
                self.fault(table, row, source, target,
                           f"{name} was {shown!r:.120}, its copy {copied!r:.120}")

    # What is changed.

    def see_that_only_what_changes_changes(self):
        """Another column, by all others; nothing that a system's users wrote is written anew."""
        for table, source, target, _ in self.directions():
            self.systems[target].sql(
                f"UPDATE {table.name} SET note = 'seen by {target}' "
                f"WHERE id BETWEEN {table.first(source)} AND {table.last(source)}")
            self.settle(lambda table=table, source=source, target=target: self.systems[
                source].numbers(table.name, table.first(source), table.last(source),
                                f"note = 'seen by {target}'") >= self.there(table, source, target))
        for (table, source), before in self.before.items():
            after = self.cells(table, source)
            for row in self.rows[table, source]:
                for name in table.fields:
                    was, shown = before[row.number][name], after[row.number][name]
                    if was != shown:
                        self.fault(table, row, source, source,
                                   f"{name} was {was!r:.120}, and is {shown!r:.120}")

    def cells(self, table, letter):
        return self.systems[letter].cells(table.name, table.first(letter), table.last(letter))

    def see_that_changes_come(self):
        """Each record takes the value of the next one of its field, as near to it as 'a' to 'A'."""
        next_of, before = {}, {}
        for (table, source), rows in self.rows.items():
            fields = {}
            for row in rows:
                if not row.refused and len(row.cells) == 1:
                    fields.setdefault(next(iter(row.cells)), []).append(row)
            pairs = [pair for some in fields.values() for pair in zip(some, some[1:] + some[:1])]
            next_of[table, source] = pairs
            for target in table.pair.replace(source, ""):
                before[table, source, target] = self.systems[target].cells(
                    table.name, table.first(source), table.last(source))
        for (table, source), pairs in next_of.items():
            self.systems[source].change(table.name, [
                (row.number, *next(iter(other.cells.items()))) for row, other in pairs])
        for last in (False, True):
            if not last:
                self.settle(lambda: not self.changes_amiss(next_of, before))
                continue
            for fault in self.changes_amiss(next_of, before):
                self.fault(*fault)

    def changes_amiss(self, next_of, before):
        amiss = []
        for (table, source, target), was in before.items():
            now = self.systems[target].cells(table.name, table.first(source), table.last(source))
            for row, other in next_of[table, source]:
                if row.number not in was or other.number not in was:
                    continue
                name = next(iter(row.cells))
                shown, wanted = now[row.number][name], was[other.number][name]
                if shown != wanted:
                    amiss.append((table, row, source, target,
                                  f"changed to {wanted!r:.120}, came as {shown!r:.120}"))
        return amiss

    def see_that_all_are_equal(self):
        """Without what cannot travel, nor is waited for then."""
        for (table, source), rows in self.rows.items():
            self.systems[source].delete(table.name, [
                row.number + distance for row in rows if row.refused
                for distance in (0, *map(table.distance, table.pair))])
        self.settle(lambda: self.ask("verify", expect=None)["is_equal"])
        verified = self.ask("verify", expect=None)
        if not verified["is_equal"]:
            self.faults.append(f"verify: {verified}")

    def test_values_that_go_and_come_back(self):
        self.make()
        self.run_it(self.insert)
        for key, rows in self.rows.items():
            self.rows[key] = [row for row in rows if row is not None]
        self.before = {(table, source): self.cells(table, source) for table, source in self.rows}
        self.see_what_comes()
        self.see_that_copies_are_the_same()
        self.see_that_only_what_changes_changes()
        self.see_that_changes_come()
        self.see_that_nothing_moves()
        self.see_that_all_are_equal()
        self.stop()
        self.expect_no_faults()


class Keys(WithSystems):
    """Records that are known by a key of each type, in all three."""
    next_of = {"p": "m", "m": "s", "s": "p"}
    before_of = {"m": "p", "s": "m", "p": "s"}

    def make(self):
        self.mine = {}
        for field in KEYS:
            for letter, system in self.systems.items():
                for table in ("kept", "made", "more"):
                    system.sql(f"CREATE TABLE {field.name}_{table} (k {field.columns[letter]} "
                               "NOT NULL, note varchar(20), PRIMARY KEY (k))")
            self.deal(field)
        self.init(*[system.url for system in self.systems.values()])

    def deal(self, field):
        """Each system makes some of the keys; none is made twice, in whatever spelling."""
        spelling = next(iter(field.same.values()), str)
        keys = {}
        for value in field.values(random.Random(f"{SEED} {field.name}"), ROWS):
            if not value.refused:
                whats = value.what
                if not isinstance(whats, dict):
                    whats = dict.fromkeys("pms", value.what)
                keys.setdefault(spelling(whats["p"]), whats)
        for place, whats in enumerate(keys.values()):
            letter = "pms"[place % 3]
            spelled = field.same.get(letter, lambda key: key)(whats[letter])
            self.mine.setdefault((field, letter), []).append(spelled)

    def insert(self, half):
        for (field, letter), keys in self.mine.items():
            system = self.systems[letter]
            for key in keys[half::2]:
                system.sql(f"INSERT INTO {field.name}_kept VALUES ({system.mark}, 'of {letter}')",
                           [system.bound(key)])

    def keys(self, field, letter, table, note):
        system = self.systems[letter]
        rows = system.sql(f"SELECT {system.shown('k', field.columns[letter])} "
                          f"FROM {field.name}_{table} WHERE note = '{note}of {letter}'")
        return sorted(field.canonical(letter, shown) for row in rows for shown in system.read(row))

    def count(self, field, letter, table, note):
        return self.systems[letter].sql(
            f"SELECT count(*) FROM {field.name}_{table} WHERE note = '{note}'")[0][0]

    def by_others(self, others, statement):
        for field, source in self.mine:
            self.systems[others[source]].sql(statement.format(name=field.name, source=source))

    def see(self, what, holds):
        self.settle(lambda: all(holds(*mine) for mine in self.mine))
        self.faults += [f"{field.name}, of {source}: {what}" for field, source in self.mine
                        if not holds(field, source)]

    def see_same(self, table, note):
        self.see(f"{table}, {note}: other keys", lambda field, source: self.keys(
            field, source, table, note + " ") == self.before[field, source])

    def test_keys_that_go_and_come_back(self):
        self.make()
        self.run_it(self.insert)
        self.before = {(field, source): self.keys(field, source, "kept", "")
                       for field, source in self.mine}
        self.see("it did not come", lambda field, source: all(
            self.count(field, target, "kept", f"of {source}") == len(self.mine[field, source])
            for target in "pms"))
        for table, others in (("made", self.next_of), ("more", self.before_of)):
            self.by_others(others, f"INSERT INTO {{name}}_{table} SELECT k, 'copy of {{source}}' "
                                   "FROM {name}_kept WHERE note = 'of {source}'")
            self.see_same(table, "copy")
        for was, note, others in (("", "seen", self.next_of), ("seen ", "again", self.before_of)):
            self.by_others(others, f"UPDATE {{name}}_kept SET note = '{note} of {{source}}' "
                                   f"WHERE note = '{was}of {{source}}'")
            self.see_same("kept", note)
        self.see_that_nothing_moves()
        self.assertTrue(self.ask("verify")["is_equal"])
        self.by_others(self.next_of, "DELETE FROM {name}_kept WHERE note = 'again of {source}'")
        self.see("it is still there", lambda field, source: self.count(
            field, source, "kept", f"again of {source}") == 0)
        self.assertEqual(self.ask("quarantine", "list"), [])
        self.expect_no_faults()


if __name__ == "__main__":
    unittest.main(verbosity=2)
