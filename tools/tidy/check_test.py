#!/usr/bin/env python3
"""Feeds each house rule a snippet that breaks it, and one that does not."""

import unittest

import check
import errors
import rules

ROOMS = rules.parse_rooms("host/base:\nhost/model: host/base\nhost/core: host/model\n"
                          "host/state: host/model\nhost/app: host/core host/state\n"
                          "kernels/contract:\ndrivers/systems/sqlite: host/model\n")


def found(path, text):
    return {finding.rule for finding in rules.check_file(path, text, ROOMS)}


def body(lines):
    return "  f();\n" * lines


class Rooms(unittest.TestCase):
    def test_an_include_follows_the_rooms(self):
        self.assertEqual(found("host/core/a.cpp", '#include "host/base/error.hpp"\n'), set())
        self.assertEqual(found("host/core/a.cpp", '#include "host/state/shadow.hpp"\n'), {"room"})
        self.assertEqual(found("host/model/a.cpp", '#include "tests/x.hpp"\n'), {"room"})
        self.assertEqual(found("tests/unit/model/a_test.cpp", '#include "bench/x.hpp"\n'), {"room"})
        self.assertEqual(found("tests/unit/model/a_test.cpp", '#include "host/app/x.hpp"\n'), set())

    def test_a_room_names_earlier_rooms_only(self):
        with self.assertRaises(ValueError):
            rules.parse_rooms("host/model: host/base\nhost/base:\n")

    def test_a_namespace_is_its_folder(self):
        self.assertEqual(found("host/core/a.cpp", "namespace syncline::core {\n}\n"), set())
        self.assertEqual(found("host/core/a.cpp", "namespace syncline::state {\n}\n"),
                         {"namespace"})

    def test_the_core_is_pure(self):
        self.assertEqual(found("host/core/a.cpp", "#include <thread>\n"), {"pure"})
        self.assertEqual(found("host/core/a.cpp", '#include "host/base/clock.hpp"\n'), {"pure"})
        self.assertEqual(found("host/core/a.cpp", "int x = rand();\n"), {"pure"})
        self.assertEqual(found("host/core/a.cpp", "// rand() is not for us\n"), set())
        self.assertEqual(found("host/model/a.cpp", "#include <thread>\n"), set())

    def test_vendors_stay_outside(self):
        self.assertEqual(found("host/model/a.cpp", "int sqlite_version;\n"), {"vendor"})
        self.assertEqual(found("host/model/a.cpp", 'auto x = "postgres";\n'), {"vendor"})
        self.assertEqual(found("host/model/a.cpp", "// as PostgreSQL says\n"), set())
        self.assertEqual(found("host/app/systems.cpp", "int sqlite_version;\n"), set())
        self.assertEqual(found("host/core/a.cpp", "int rocksdb;\n"), {"vendor"})
        self.assertEqual(found("host/state/a.cpp", "int rocksdb;\n"), set())
        self.assertEqual(found("kernels/contract/a.h", "// E\n#pragma once\nint cuda;\n"), set())


class Lengths(unittest.TestCase):
    def test_a_function_of_70_lines_passes_and_71_does_not(self):
        text = "namespace syncline::core {\nvoid g(int x) {\n%s}\n}\n"
        self.assertEqual(found("host/core/a.cpp", text % body(68)), set())
        self.assertEqual(found("host/core/a.cpp", text % body(69)), {"function-lines"})

    def test_members_tests_and_lambdas_are_functions(self):
        member = "class A {\n public:\n  A(int x) : x_(x) {\n%s  }\n};\n" % body(70)
        self.assertEqual(found("host/core/a.cpp", member), {"function-lines"})
        test = "TEST_P(Lane, Keeps) {\n%s}\n" % body(70)
        names = [f.name for f in rules.check_lengths("tests/unit/core/a_test.cpp", test)]
        self.assertEqual(names, ["TEST_P(Lane,Keeps)"])
        inner = "void g() {\n  h([] {\n%s  });\n}\n" % body(70)
        self.assertEqual(found("host/core/a.cpp", inner), {"function-lines"})

    def test_tables_and_braces_in_strings_are_not_functions(self):
        self.assertEqual(found("host/core/a.cpp", "int t[] = {\n%s};\n" % ("  1,\n" * 90)), set())
        text = 'void g() {\n  f("{");\n}\n' + "int x;\n" * 90
        self.assertEqual(found("host/core/a.cpp", text), set())

    def test_long_files_and_lines(self):
        self.assertEqual(found("host/core/a.cpp", "int x;\n" * 501), {"file-lines"})
        self.assertEqual(found("tests/unit/core/a_test.cpp", "int x;\n" * 999), set())
        self.assertEqual(found("tests/unit/core/a_test.cpp", "int x;\n" * 1001), {"file-lines"})
        self.assertEqual(found("host/core/a.cpp", "x" * 101 + "\n"), {"columns"})


class Words(unittest.TestCase):
    def test_unfinished_work_has_a_number(self):
        self.assertEqual(found("host/core/a.cpp", "// TO" "DO: later\n"), {"todo"})
        self.assertEqual(found("docs/a.md", "FIX" "ME\n"), {"todo"})
        self.assertEqual(found("host/core/a.cpp", "// TO" "DO(#12): later\n"), set())

    def test_no_machine_and_no_registry(self):
        self.assertEqual(found("docs/a.md", "see /" "home/ann/x\n"), {"machine"})
        self.assertEqual(found("docs/a.md", "https:/" "/deb.debian.org/x\n"), {"machine"})
        self.assertEqual(found("docs/a.md", "https://example.org/home/ann\n"), set())

    def test_tests_do_not_sleep(self):
        text = "void g() { std::this_thread::sleep_for(x); }\n"
        self.assertEqual(found("tests/unit/core/a_test.cpp", text), {"sleep"})

    def test_headers_say_what_they_are(self):
        self.assertEqual(found("host/core/a.hpp", "#pragma once\n"), {"header"})
        good = "// What.\n#pragma once\n"
        self.assertEqual(found("host/core/a.hpp", good), set())
        self.assertEqual(found("host/core/a.hpp", good + "void f(int a, bool is_b);\n"),
                         {"bool-parameter"})
        self.assertEqual(found("host/core/a.hpp", good + "bool f(int a);\n"), set())

    def test_names_of_files(self):
        self.assertEqual(found("host/core/MyLane.cpp", ""), {"file-name"})
        self.assertEqual(found("tests/unit/core/lane.cpp", ""), {"file-name"})

    def test_subjects_of_commits(self):
        good = [("1", "core: lanes"), ("2", "engine, model: contracts"), ("3", "Merge x")]
        self.assertEqual(list(rules.check_subjects(good)), [])
        bad = [("1", "Fixed stuff"), ("2", "core: lanes."), ("3", "core: " + "x" * 100)]
        self.assertEqual(len(list(rules.check_subjects(bad))), 3)


class Ratchet(unittest.TestCase):
    finding = rules.Finding("host/a.cpp", 1, "function-lines", "", 90, "f")

    def test_old_lengths_may_shrink_but_not_grow(self):
        key = self.finding.key()
        self.assertEqual(check.apply_ratchet([self.finding], {key: 90}), [])
        self.assertEqual(check.apply_ratchet([self.finding], {key: 80}), [self.finding])
        self.assertEqual([f.rule for f in check.apply_ratchet([self.finding], {key: 95})],
                         ["ratchet"])
        self.assertEqual([f.rule for f in check.apply_ratchet([], {key: 90})], ["ratchet"])

    def test_it_is_read_as_it_is_written(self):
        written = check.format_ratchet([self.finding])
        self.assertEqual(check.parse_ratchet(written), {self.finding.key(): 90})


class Errors(unittest.TestCase):
    header = ('enum class ExitStatus : int {\n  kOk = 0,\n'
              '  kUsage = 2,  // a wrong command line\n};\n'
              'SYN_CODE(kUsage, 1001, kUsage, "the command line is wrong") \\\n')

    def test_the_page_has_every_code(self):
        page = errors.updated(f"before\n{errors.BEGIN}\nold\n{errors.END}\nafter\n", self.header)
        self.assertIn("| SYN-1001 | 2 | the command line is wrong |", page)
        self.assertIn("| 2 | Usage | a wrong command line |", page)
        self.assertTrue(page.startswith("before\n") and page.endswith("\nafter\n"))
        self.assertNotIn("old", page)


if __name__ == "__main__":
    unittest.main()
