"""The fields of types_test.py: every type of docs/types.md, by what each system calls it."""
import ipaddress
from decimal import Decimal

from typed_values import (COLOURS, COLOUR_LIST, GEOMETRIES, INT64, SETS, SET_ARRAYS, SPECIAL, Field,
                          Value, addresses, any_of, arrays, beyond_plane, blobs, clock_intervals,
                          composites, days, decimals, exact_floats, fifteen_digits, finer_decimals,
                          floats, halves_and_more, integers, intervals, intervals_of, json_value,
                          jsons, labels, longer_than, moments, no_mariadb_uuid, no_spaces,
                          no_zero_date, not_a_stamp, not_in, numbers_of_bits, of_two_digits,
                          one_zero, outside, padded, same_clock, same_decimal, same_interval,
                          sorted_set, texts, times, uuids, whole_seconds)

INT16, INT32 = (-2**15, 2**15 - 1), (-2**31, 2**31 - 1)
BEYOND = [Value(text, "m") for text in SPECIAL]


def field(name, p, m, s, values, same=None, declared="", without="", is_finer=False):
    """same: what to compare in place of what is shown, in each of the systems that it names."""
    systems, change = same or ("", None)
    columns = {system: kind for system, kind in (("p", p), ("m", m), ("s", s)) if kind}
    return Field(name, columns, values, {system: change for system in systems}, declared, without,
                 is_finer)


def no_year(number):
    return outside(number, p=INT32) + ("" if number == 0 or 1901 <= number <= 2155 else "m")


def years(dice, count):
    """MariaDB's users get 2026 for 26."""
    for value in integers(no_year, p=(1901, 2155))(dice, count):
        number = value.what
        yield Value(number if number == 0 or abs(number) > 99 else {"p": number, "s": number},
                    value.refused)


def not_a_number_column(text):
    """A JSON column of SQLite is NUMERIC: a text that is a number becomes one."""
    return "s" if text[0] in "-0123456789" and text not in ("0", "-0", "12") else ""


def no_inet6(text):
    return "m" if ":" not in text or "/" in text else ""


def no_inet4(text):
    return "m" if ":" in text or "/" in text.removesuffix("/32") else ""


def hundreds(dice, count):
    """PostgreSQL's column keeps whole hundreds, up to seven digits."""
    for text in ("0", "100", "-1200", "1234500", *(
            f"{dice.randrange(-99999, 99999)}00" for _ in range(count))):
        yield Value(text)
    for text in ("1", "-150", "99.5", "12345.67"):
        yield Value({"m": text, "s": text}, "p")


def short_texts(dice, count):
    """Spaces beyond a column's length would go without a word."""
    for text in ("", " ", "a ", "a" * 12, "a" * 11 + " ", " " * 12, "ä" * 11 + " ", *(
            "".join(dice.choice("aä ") for _ in range(12)) for _ in range(count))):
        yield Value(text)
    for text in ("a" * 12 + " ", "ä" * 12 + "  ", " " * 13):
        yield Value({"s": text}, "pm")


def fractions(whole, p, m, dice, count):
    for fraction in ("", ".1", ".12", ".123", ".1234", ".5", ".000001", *(
            f".{dice.randrange(10**6):06}" for _ in range(count))):
        digits = len(fraction.strip("0").removeprefix("."))
        refused = ("p" if digits > p else "") + ("m" if digits > m else "")
        by = {"p": "ms", "m": "s", "pm": "s", "": "pms"}[refused]
        yield Value({letter: whole + fraction for letter in by}, refused)


def times_of(p, m):
    return lambda dice, count: fractions("10:00:00", p, m, dice, count)


def moments_of(p, m):
    return lambda dice, count: fractions("2026-11-27 10:00:00", p, m, dice, count)


def same_inet(text):
    return str(ipaddress.ip_interface(text))


def four_digits(text):
    return f"{Decimal(text) + 0:.4f}"


NUMBERS = [
    field("i1", "smallint", "tinyint", "INTEGER", integers(p=INT16, m=(-128, 127), s=INT64)),
    field("i2", "smallint", "smallint", "INT", integers(p=INT16, m=INT16, s=INT64)),
    field("i3", "integer", "mediumint", "INTEGER",
          integers(p=INT32, m=(-2**23, 2**23 - 1), s=INT64)),
    field("i4", "integer", "int", "INTEGER", integers(p=INT32, m=INT32, s=INT64)),
    field("i8", "bigint", "bigint", "BIGINT", integers(p=INT64, m=INT64, s=INT64)),
    field("u1", "smallint", "tinyint unsigned", "INTEGER",
          integers(p=INT16, m=(0, 255), s=INT64)),
    field("u2", "integer", "smallint unsigned", "INTEGER",
          integers(p=INT32, m=(0, 2**16 - 1), s=INT64)),
    field("u3", "integer", "mediumint unsigned zerofill", "INTEGER",
          integers(p=INT32, m=(0, 2**24 - 1), s=INT64)),
    field("u4", "bigint", "int unsigned", "INTEGER", integers(p=INT64, m=(0, 2**32 - 1), s=INT64)),
    field("u8", "bigint", "bigint unsigned", "INTEGER",
          integers(p=INT64, m=(0, INT64[1]), s=INT64)),
    field("year", "integer", "year", "INTEGER", years),
    field("bool", "boolean", "tinyint(1)", "BOOLEAN", any_of(
        True, False, ({"m": 2, "s": 2}, "ms"), ({"m": -1}, "m"), ({"s": "yes"}, "s"))),
    field("n19", "numeric(19,0)", "bigint", "INTEGER", decimals(
        19, 0, refused=lambda text: "" if abs(int(text)) < 2**63 else "pms")),
    field("d6", "numeric(6,0)", "decimal(6,0)", "DECIMAL(6,0)", decimals(6, 0)),
    field("d12", "numeric(12,4)", "decimal(12,4)", "DECIMAL(12,4)", decimals(12, 4),
          ("s", same_decimal())),
    field("d38", "numeric(38,10)", "decimal(38,10)", "TEXT", decimals(38, 10),
          ("s", same_decimal())),
    field("d65", "numeric(60,30)", "decimal(60,30)", "TEXT", decimals(60, 30),
          ("s", same_decimal())),
    field("dany", "numeric", "decimal(30,8)", "TEXT", decimals(30, 8, BEYOND),
          ("ps", same_decimal(8)), without="ps"),
    field("dmore", "numeric", "decimal(30,8)", "TEXT", decimals(36, 14, refused=lambda text: ""),
          ("ps", same_decimal(8)), without="ps"),
    field("dfree", "numeric", None, "TEXT", decimals(700, 300, map(Value, SPECIAL)),
          ("ps", same_decimal())),
    field("dnum", "numeric", None, "NUMERIC", decimals(20, 12, refused=fifteen_digits),
          ("ps", same_decimal())),
    field("dcoarse", "numeric(12,4)", "decimal(10,2)", "TEXT", decimals(11, 4),
          ("ps", same_decimal(2)), without="ps"),
    field("f4", "real", "float", "REAL", floats(True), ("pms", one_zero)),
    field("f8", "double precision", "double", "DOUBLE", floats(False), ("pms", one_zero)),
    field("f48", "real", "double", "REAL", exact_floats("m"), ("pms", one_zero), without="ms"),
    field("f84", "double precision", "float", "REAL", exact_floats("p"), ("pms", one_zero),
          without="ps"),
    field("f82", "real", "float(8,2)", None, of_two_digits(more=False), ("pm", same_decimal()),
          is_finer=True),
    field("f102", "double precision", "double(10,2)", "REAL", of_two_digits(more=True),
          ("pms", same_decimal()), is_finer=True),
    field("dneg", "numeric(5,-2)", "decimal(12,2)", "TEXT", hundreds, ("pms", same_decimal()),
          is_finer=True),
    field("dfine", "numeric(10,2)", "decimal(12,4)", "TEXT",
          finer_decimals(12, 4, 2), ("pms", same_decimal()), declared="decimal(12,4)",
          is_finer=True),
    field("ffine", "real", "float", "REAL", halves_and_more, ("pms", same_decimal()),
          declared="float64", without="ms", is_finer=True),
    field("bit1", "bit(1)", "bit(1)", None, numbers_of_bits(1)),
    field("bit9", "bit(9)", "bit(9)", None, numbers_of_bits(9)),
    field("bit64", "bit(64)", "bit(64)", None, numbers_of_bits(64)),
]

TEXTS = [
    field("t", "text", "longtext", "TEXT", texts(longest=300, more=("x" * 70000,))),
    field("v20", "varchar(20)", "varchar(20)", "VARCHAR(20)",
          texts(longer_than(20, "pms"), longest=22)),
    field("c10", "char(10)", "char(10)", "CHAR(10)", texts(
        lambda text: longer_than(10, "pms")(text.rstrip(" ")), longest=12), ("ms", no_spaces)),
    field("tc", "text", "char(12)", "TEXT", texts(
        lambda text: longer_than(12, "pms")(text.rstrip(" ")), longest=14), ("pms", no_spaces),
          without="ps"),
    field("tv", "text", "varchar(12)", "TEXT", texts(longer_than(12, "pms"), longest=14),
          without="ps"),
    field("cv", "char(10)", "varchar(10)", "TEXT", texts(
        lambda text: longer_than(10, "pms")(text.rstrip(" ")), longest=12), ("pms", no_spaces),
          without="ms"),
    field("vb", "varbit", "varchar(90)", "TEXT", any_of("", "0", "1", "0101", "00000000" * 9)),
    field("vshort", "varchar(12)", "varchar(12)", "TEXT", short_texts, declared="text",
          without="ms", is_finer=True),
    field("pname", "name", "varchar(90)", "TEXT", any_of(
        "a", "x" * 63, "a ", ({"m": "x" * 64, "s": "x" * 64}, "p"),
        ({"m": "a" + "ä" * 32, "s": "a" + "ä" * 32}, "p")), is_finer=True),
    field("pchar", '"char"', "varchar(9)", "TEXT", any_of(
        "a", "", " ", ({"m": "ab", "s": "ab"}, "p"), ({"m": "ä", "s": "ä"}, "p")), is_finer=True),
    field("latin", "text", "text CHARACTER SET latin1", "TEXT", texts(not_in("cp1252"))),
    field("utf3", "text", "text CHARACTER SET utf8mb3", "TEXT", texts(beyond_plane)),
    field("ucs2", "text", "text CHARACTER SET ucs2", "TEXT", texts(beyond_plane)),
    field("utf16", "text", "text CHARACTER SET utf16", "TEXT", texts()),
    field("sjis", "text", "text CHARACTER SET sjis", "TEXT", any_of(
        "C:\\dir~", "~", "表\\ソ~", "日本語 ｱｲｳ", ("C:¥dir", "m"), ("＼", "m"), ("é", "m"))),
    field("uhc", "text", "text CHARACTER SET euckr", "TEXT", any_of(
        "한국어 ~\\", "똠방각하 펲시콜라", ("é", "m"))),
    field("mac", "text", "text CHARACTER SET macroman", "TEXT", any_of("Zürich √Ω", ("Ł", "m"))),
    field("path", "text", "enum('C:\\\\dir~', '表') CHARACTER SET sjis", "TEXT", any_of(
        "C:\\dir~", "表", ("C:", "m"))),
    field("ci", "text", "text COLLATE utf8mb4_general_ci", "TEXT COLLATE NOCASE", texts()),
    field("uca", "text", "text COLLATE utf8mb4_unicode_520_ci", "TEXT COLLATE RTRIM", texts()),
    field("enum", "colour", f"enum({COLOUR_LIST})", "TEXT", labels(COLOURS, (
        ({"s": "RED"}, "pm"), ({"s": ""}, "pm"), ({"s": "1"}, "pm"), ({"s": "red "}, "pm")))),
    field("set", "text", "set('a','b','c')", "TEXT", SETS, ("ps", sorted_set)),
    field("sets", "text[]", "set('a','b','c')", "TEXT", SET_ARRAYS, ("ps", sorted_set),
          without="ps"),
    field("dom", "positive", "int", "INTEGER", integers(p=(1, INT32[1]), m=INT32, s=INT64)),
    field("cidr", "cidr", "varchar(60)", "TEXT", any_of("10.0.0.0/8", "::/0", "2001:db8::/32")),
    field("range", "int4range", "varchar(60)", "TEXT", any_of("[1,5)", "empty", "(,)", "[3,)")),
    field("xml", "xml", "text", "TEXT", any_of("<a b=\"1\">x</a>", "<a/>", "a &amp; b"),
          declared="text"),
    field("money", "money", "varchar(60)", "TEXT", any_of("$0.50", "-$12.34", "$1,234.56"),
          declared="text"),
    field("tsv", "tsvector", "text", "TEXT", any_of("'a':1 'b':2B", "'x y'", ""),
          declared="text"),
]

BYTES = [
    field("b", "bytea", "longblob", "BLOB", blobs()),
    field("b20", "bytea", "varbinary(20)", "BLOB",
          blobs(24, lambda blob: "m" if len(blob) > 20 else "")),
    field("bin", "bytea", "binary(8)", "BLOB",
          blobs(10, lambda blob: "pms" if len(blob) > 8 else ""), ("pms", padded(8)), without="ps"),
    field("geo", "bytea", "geometry", "BLOB", GEOMETRIES, without="ps"),
    field("uuid", "uuid", "uuid", "UUID", uuids(no_mariadb_uuid), ("s", str.lower)),
    field("ut", "uuid", "char(36)", "TEXT", uuids(), ("ms", str.lower)),
    field("uv", "uuid", "varchar(40)", "GUID", uuids(), ("ms", str.lower)),
    field("inet", "inet", "varchar(50)", "TEXT", addresses(lambda text: ""), ("ms", same_inet)),
    field("inet6", "inet", "inet6", "TEXT", addresses(no_inet6), ("s", same_inet)),
    field("inet4", "inet", "inet4", "TEXT", addresses(no_inet4), ("s", same_inet)),
    field("mac", "macaddr", "varchar(30)", "TEXT", any_of(
        "08:00:2b:01:02:03", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "08-00-2B-01-02-03"),
          ("ms", lambda text: text.lower().replace("-", ":"))),
    field("mac8", "macaddr8", "varchar(30)", "TEXT", any_of(
        "08:00:2b:01:02:03:04:05", "ff:ff:ff:ff:ff:ff:ff:ff")),
]

TIMES = [
    field("date", "date", "date", "DATE", days((
        ({"p": "infinity"}, "p"), ({"p": "-infinity"}, "p"), ({"p": "0044-03-15 BC"}, "p"),
        ({"p": "10000-01-01"}, "p"), ({"m": "0000-00-00"}, "m"), ({"m": "2026-00-10"}, "m"),
        ({"m": "2026-02-00"}, "m"), ({"m": "0000-01-01"}, "m"), ({"s": "2023-02-29"}, "s"),
        ({"s": 45000}, "s")))),
    field("dt6", "timestamp(6)", "datetime(6)", "DATETIME(6)", moments(6, more=(
        ({"p": "infinity"}, "p"), ({"p": "0044-03-15 12:00:00 BC"}, "p"),
        ({"p": "10000-01-01 00:00:00"}, "p"), ({"m": "0000-00-00 00:00:00"}, "m"),
        ({"m": "2026-00-10 00:00:00"}, "m"), ({"s": "2026-01-01 24:00:00"}, "s"))),
          ("s", same_clock())),
    field("dt0", "timestamp(0)", "datetime", "DATETIME(0)", moments(0), ("s", same_clock())),
    field("dt3", "timestamp(6)", "datetime(3)", "DATETIME", moments(6), ("pms", same_clock(3))),
    field("ts6", "timestamptz(6)", "timestamp(6) NULL DEFAULT NULL", "TIMESTAMP(6)", moments(
        6, "+00", not_a_stamp(6), (({"m": "0000-00-00 00:00:00"}, "m"),)),
          ("s", same_clock(zone=True))),
    field("ts0", "timestamptz(0)", "timestamp NULL DEFAULT NULL", "TIMESTAMPTZ(0)",
          moments(0, "+00", not_a_stamp(0)), ("s", same_clock(zone=True))),
    field("ts2", "timestamptz(6)", "timestamp(2) NULL DEFAULT NULL", "TIMESTAMP",
          moments(6, "+00", not_a_stamp(2)), ("ps", same_clock(2, zone=True)), without="ps"),
    field("tsx", "timestamptz", None, "TIMESTAMP", moments(6, "+00", more=(
        ({"p": "infinity"}, "p"), ({"p": "0001-01-01 00:00:00+01"}, "p"),
        ({"s": "2026-01-01T02:00:00+02:00"}, ""), ({"s": "2026-01-01 00:00:00Z"}, ""))),
          ("s", lambda text: same_clock(zone=True)(
              text.replace("T02:00:00+02:00", " 00:00:00")))),
    field("time6", "time(6)", "time(6)", "TIME(6)", times(6), ("s", same_clock())),
    field("time0", "time(0)", "time", "TIME(0)", times(0), ("s", same_clock())),
    field("timetz", "timetz", "varchar(40)", "TEXT", any_of(
        "08:56:03.123+00", "23:59:59.999999-07", "24:00:00+05:45", "00:00:00+15:59:59")),
    field("iv", "interval", None, "TEXT", intervals, ("s", same_interval)),
    field("ivt", "interval", "varchar(90)", "TEXT", intervals, ("ms", same_interval)),
    field("ivm", "interval", "time(6)", None, clock_intervals, declared="interval"),
    field("ivm0", "interval", "time", None, whole_seconds, declared="interval",
          is_finer=True),
    *(field(f"iv{digits}", f"interval({digits})", "varchar(90)", "TEXT", intervals_of(digits),
            ("ms", same_interval), is_finer=True) for digits in range(4)),
    field("ivfields", "interval hour to minute", "varchar(90)", "TEXT", any_of(
        "P1DT2H3M", "PT0S", ({"m": "PT1S", "s": "PT1S"}, "p")), ("ms", same_interval),
          is_finer=True),
    field("timefine", "time(1)", "time(2)", "TIME(6)", times_of(1, 2), ("pms", same_clock()),
          declared="time(6)", without="ms", is_finer=True),
    field("dtfine", "timestamp(0)", "datetime(3)", "DATETIME", moments_of(0, 3),
          ("pms", same_clock()), declared="datetime(6)", without="ms", is_finer=True),
    field("timetz0", "timetz(0)", "varchar(40)", "TEXT", any_of(
        "08:56:03+00", ({"m": "08:56:03.5+00", "s": "08:56:03.5+00"}, "p")),
          is_finer=True),
]

JSONS = [
    field("jb", "jsonb", "json", "JSON", jsons(not_a_number_column), ("pms", json_value)),
    field("j", "json", "json", "TEXT", jsons(), ("pms", json_value)),
    field("jt", "jsonb", "longtext", "TEXT", jsons(), ("pms", json_value)),
    field("ja", "integer[]", "json", "TEXT", arrays(
        ("[]", "{}"), ("[1,-2,null]", "{1,-2,NULL}"), ("[[1,2],[3,4]]", "{{1,2},{3,4}}"),
        ("[2147483647]", "{2147483647}"), no_arrays=(
            "[2147483648]", '["x"]', "[[1],[2,3]]", "{}", "1", "null", "[1.5]", "[[]]")),
          ("ms", json_value)),
    field("jx", "text[]", "json", "TEXT", arrays(
        ("[]", "{}"), ('["a","B ",""]', '{a,"B ",""}'),
        ('["NULL",null,"null"]', '{"NULL",NULL,null}'),
        ('["{","}",",","\\\\","\\"","\'"]', '{"{","}",",","\\\\","\\"",\'}'),
        ('["ä😀","\\n\\t","\\u0001"]', '{ä😀,"\n\t","\x01"}'),
        ('[["a","b"],["c","d"]]', "{{a,b},{c,d}}"), no_arrays=(
            "[1]", "[true]", '["\\u0000"]', '[{"a":1}]', '"a"')), ("ms", json_value)),
    field("part", "part", "json", "TEXT", composites, ("ms", json_value), without="ps"),
]

FIELDS = [*NUMBERS, *TEXTS, *BYTES, *TIMES, *JSONS]

# Where the dataset takes for NULL what dates cannot hold.
ZERO_DATES = [
    field("day", "date", "date", None, any_of(
        "2026-11-27", {"m": "0000-00-00"}, {"m": "2026-00-10"}, {"m": "2026-02-00"},
        {"m": "0000-01-01"}, {"p": "infinity"}, {"p": "-infinity"}, {"p": "0044-03-15 BC"},
        ({"p": "10000-01-01"}, "p")), ("pm", no_zero_date)),
    field("clock", "timestamp(0)", "datetime", None, any_of(
        "2026-11-27 10:00:00", {"m": "0000-00-00 00:00:00"}, {"m": "2026-00-10 01:02:03"},
        {"p": "infinity"}, {"p": "0044-03-15 12:00:00 BC"}), ("pm", no_zero_date)),
    field("instant", "timestamptz(0)", "timestamp NULL DEFAULT NULL", None, any_of(
        {"p": "2026-11-27 10:00:00+00", "m": "2026-11-27 10:00:00"},
        {"m": "0000-00-00 00:00:00"}, {"p": "-infinity"}, {"p": "0001-01-01 00:00:00+01"}),
          ("pm", no_zero_date)),
]

# Of keys. SQLite's are written as `same` gives them, for we must find them again; a text key where
# all three tell apart what any of them does.
EXACTLY = "COLLATE utf8mb4_nopad_bin"
KEYS = [
    field("text", "text", f"varchar(60) {EXACTLY}", "TEXT", texts()),
    field("number", "bigint", "bigint unsigned", "INT", integers(p=(0, INT64[1]), m=(7, 99))),
    field("decimal", "numeric(12,4)", "decimal(12,4)", "TEXT", decimals(12, 4),
          ("s", four_digits)),
    field("uuid", "uuid", "uuid", "UUID", uuids(no_mariadb_uuid), ("s", str.lower)),
    field("bytes", "bytea", "varbinary(40)", "BLOB",
          blobs(40, lambda blob: "m" if len(blob) > 40 else "")),
    field("date", "date", "date", "DATE", days(())),
    field("clock", "timestamp(6)", "datetime(6)", "DATETIME", moments(6), ("s", same_clock())),
    field("instant", "timestamptz(6)", "timestamp(6) DEFAULT '2000-01-01'", "TIMESTAMP",
          moments(6, "+00", not_a_stamp(6)), ("s", same_clock(zone=True))),
    field("inet", "inet", f"varchar(50) {EXACTLY}", "TEXT", any_of(
        "10.1.2.3", "10.1.2.0/24", "::1", "2001:db8::/32", "0.0.0.0", "255.255.255.255")),
]
