"""Fields of every type that docs/types.md maps, and values that tell whether they travel.

A field has a column type in each system that takes part: p PostgreSQL, m MariaDB, s SQLite. A value
names the systems that cannot hold it, or, where it lies in one of them, cannot give it. Where a
system spells one value in several ways, or keeps more of it than the dataset, `same` brings what it
shows to what is compared.
"""
import json
import math
import re
import struct
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, Callable

EXACT = Context(prec=2000, Emax=10**6, Emin=-10**6)
INT64 = (-2**63, 2**63 - 1)
LETTERS = ["a", "A", "z", "0", " ", "ä", "Ä", "ß", "é", "e\u0301", "ı", "İ", "ÿ", "€", "Ω", "東",
           "ﬁ", "\u00ad", "\u200b", "\ufeff", "\uffff", "😀", "𝄞", "'", '"', "\\", "\n", "\r", "\t",
           "\x01", "\x7f", "\u0085", "\u2028", "%", "_", ";", "--", "\\N", "{", ","]


@dataclass
class Value:
    what: Any
    refused: str = ""


@dataclass(eq=False)
class Field:
    name: str
    columns: dict
    values: Callable
    same: dict = field(default_factory=dict)  # system -> what it shows -> what is compared
    declared: str = ""  # its type in the config, where the columns alone do not say it
    without: str = ""   # the pair whose columns say more than the field does
    is_finer: bool = False  # a column of it keeps less than the field has: one refusal is sure

    def canonical(self, system, shown):
        """Of SQLite, shown as 'text:a', the kind does not count then."""
        if shown is None or system not in self.same:
            return shown
        return self.same[system](shown.partition(":")[2] if system == "s" else shown)


def columns(p=None, m=None, s=None):
    return {name: kind for name, kind in (("p", p), ("m", m), ("s", s)) if kind}


def outside(number, **ranges):
    return "".join(system for system, (least, most) in ranges.items()
                   if not least <= number <= most)


# Numbers.

def integers(refused=None, **ranges):
    """Up to each system's ends and just beyond; beyond SQLite's own no integer is stored."""
    def values(dice, count):
        ends = [end + step for least, most in ranges.values() for end in (least, most)
                for step in (-1, 0, 1)]
        numbers = {0, 1, -1, 7, *ends}
        numbers |= {dice.choice((-1, 1)) * dice.getrandbits(dice.randrange(1, 64))
                    for _ in range(count)}
        for number in sorted(numbers):
            if INT64[0] <= number <= 2**64 - 1:
                yield Value(number, refused(number) if refused else outside(number, **ranges))
    return values


def decimal_text(dice, whole, scale):
    digits = "".join(dice.choice("0123456789") for _ in range(dice.randrange(1, whole + 1)))
    fraction = "".join(dice.choice("00123456789") for _ in range(dice.randrange(scale + 1)))
    return dice.choice(("", "-")) + str(int(digits)) + ("." + fraction if fraction else "")


def decimals(precision, scale, more=(), refused=lambda text: ""):
    def values(dice, count):
        whole = precision - scale
        nines = "9" * whole + ("." + "9" * scale if scale else "")
        texts = ["0", "-0", "1", "-1", "10", "100", "0.10", "1.50", "-1.00", nines, "-" + nines]
        texts += ["9007199254740993", "0." + "0" * (scale - 1) + "1"] if scale else []
        texts += [decimal_text(dice, whole, scale) for _ in range(count)]
        for text in texts:
            if abs(Decimal(text)) < Decimal(10) ** whole and (scale or "." not in text):
                yield Value({"p": text} if refused(text) else text, refused(text))
        yield from more
    return values


SPECIAL = ("NaN", "Infinity", "-Infinity")


def same_decimal(scale=None):
    def same(text):
        if text in SPECIAL:
            return text
        number = Decimal(text)
        if scale is not None:
            number = number.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, EXACT)
        number = number.normalize(EXACT)
        return str(number if number else Decimal(0))
    return same


def finer_decimals(precision, scale, kept):
    """PostgreSQL's column keeps fewer digits than the dataset: zeros at the end are none."""
    def values(dice, count):
        for value in decimals(precision, scale)(dice, count):
            is_finer = -Decimal(value.what).normalize(EXACT).as_tuple().exponent > kept
            yield Value({letter: value.what for letter in "ms"}, "p") if is_finer else value
    return values


def fifteen_digits(text):
    """In a NUMERIC column SQLite keeps a number in a double, unless it is a whole one."""
    digits = text.replace("-", "").replace(".", "").strip("0")
    is_whole = "." not in text.rstrip("0") and abs(int(Decimal(text))) < 2**63
    return "" if len(digits) <= 15 or is_whole else "s"


def single(number):
    try:
        return struct.unpack("f", struct.pack("f", number))[0]
    except OverflowError:
        return math.copysign(math.inf, number)


def floats(is_single):
    def values(dice, count):
        edge = [0.0, -0.0, 1.0, -1.5, 0.5, 16777216.0, 16777217.0, 1e15, 1e16, 123456789.0,
                2.0**53 + 2, 3.4028234663852886e38, 1.1754943508222875e-38, 1e-45, 0.1, 1 / 3,
                1e308, -1.7976931348623157e308, 2.2250738585072014e-308, 5e-324, 1e22, 1e23]
        edge += [dice.uniform(-1, 1) * 10.0 ** dice.randrange(-40, 39) for _ in range(count)]
        for number in edge:
            number = single(number) if is_single else number
            if math.isfinite(number):
                yield Value(number)
        yield Value({"p": math.nan}, "ms")  # SQLite itself makes it NULL
        yield Value(math.inf, "m")
        yield Value(-math.inf, "m")
    return values


def exact_floats(wide):
    """Among systems of which one has doubles, as SQLite has: what no float is, is refused there."""
    def values(dice, count):
        for value in floats(True)(dice, count):
            yield value
        for value in floats(False)(dice, count):
            number = value.what
            if isinstance(number, float) and math.isfinite(number) and single(number) != number:
                yield Value({wide: number, "s": number}, wide + "s")
    return values


def of_two_digits(more):
    """Of a float, or a double where more says so, with two digits behind the point."""
    def values(dice, count):
        keep = (lambda number: number) if more else single
        for number in (0.0, 1.5, -1.25, 0.01, 99999.99, *(
                dice.randrange(-10**6, 10**6) / 100 for _ in range(count))):
            yield Value(keep(number))
        for number in (1.23456, -0.001, 0.125, *(
                (1000 * dice.randrange(1, 1000) + dice.randrange(1, 10)) / 1000
                for _ in range(count))):
            yield Value({"p": keep(number), "s": keep(number)}, "m")
        yield Value(math.inf, "m")
    return values


def halves_and_more(dice, count):
    """Doubles beside columns of four bytes: each shows them in its own way, but these in one."""
    for number in (0.5, -1.25, 16777216.0, *(dice.randrange(-10**6, 10**6) / 8
                                             for _ in range(count))):
        yield Value(number)
    for number in (16777217.0, 1.000000001, 123456789.5):
        yield Value({"s": number}, "pm")


def one_zero(shown):
    return {"-0": "0", "-0.0": "0.0"}.get(shown, shown)


def numbers_of_bits(length):
    def values(dice, count):
        for number in {0, 1, 2**length - 1, 2**(length - 1),
                       *(dice.getrandbits(length) for _ in range(count))}:
            yield Value({"p": format(number, f"0{length}b"), "m": number})
    return values


# Texts and bytes.

def texts(refused=lambda text: "", longest=40, more=()):
    def values(dice, count):
        some = ["", " ", "  ", "a", "A", "a ", " a", "a\t", "ann", "Ann", "ANN", "straße",
                "STRASSE", "é", "e\u0301", "NULL", "null", "\\N", "\\", "\\\\", "'", "''", '"',
                "0", "007", "1.0", "1e3", "0x41", "true", "{}", "a\nb", "a\r\nb", "\t", "€", "😀",
                "\u200b", "\ufeffx", "x\u0000y", "\u0000", "2026-11-27", "%s", "?", "$1"]
        some += ["".join(dice.choice(LETTERS) for _ in range(dice.randrange(1, longest)))
                 for _ in range(count)]
        for text in (*some, *more):
            # Of a text that is too long, servers cut white space at the end for their own users.
            is_cut = refused(text) and text[-1:].isspace()
            yield Value({"s": text} if is_cut else text,
                        refused(text) + ("p" if "\0" in text else ""))
    return values


def longer_than(length, systems):
    return lambda text: systems if len(text) > length else ""


def not_in(encoding):
    def refused(text):
        try:
            text.encode(encoding)
            return ""
        except UnicodeEncodeError:
            return "m"
    return refused


def beyond_plane(text):
    return "m" if any(ord(letter) > 0xffff for letter in text) else ""


def no_spaces(text):
    return text.rstrip(" ")


def blobs(longest=600, refused=lambda blob: ""):
    def values(dice, count):
        some = [b"", b"\0", b"\0\0", b"a", b"a\0", b"\0a", b" ", b"a ", b"\xff", b"\\x41", b"\\",
                b"'", bytes(range(256)), b"\xc3\x28", "ä😀".encode()]
        some += [dice.randbytes(dice.randrange(1, longest)) for _ in range(count)]
        for blob in some:
            yield Value(blob, refused(blob))
    return values


def padded(length):
    def same(hexes):
        head = "\\x" if hexes.startswith("\\x") else ""
        return head + hexes.removeprefix(head).ljust(2 * length, "0")
    return same


def any_of(*values):
    """Fixed ones: (what, refused) or what alone."""
    def choose(dice, count):
        del dice, count
        for value in values:
            yield Value(*value) if isinstance(value, tuple) else Value(value)
    return choose


# Dates and times, as wall clocks; +00 is put behind instants.

FIRST, LAST = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)
CLOCKS = [FIRST, LAST, datetime(1, 1, 1, 0, 0, 0, 1), datetime(9999, 12, 31), datetime(1970, 1, 1),
          datetime(1969, 12, 31, 23, 59, 59, 999999), datetime(1970, 1, 1, 0, 0, 0, 1),
          datetime(1970, 1, 1, 0, 0, 1), datetime(2000, 2, 29), datetime(2024, 2, 29, 23, 59, 59),
          datetime(1900, 3, 1), datetime(1582, 10, 10), datetime(1883, 11, 18, 12, 3, 57),
          datetime(2026, 3, 29, 2, 30), datetime(2026, 3, 29, 1, 30), datetime(2026, 10, 25, 2, 30),
          datetime(2026, 3, 8, 2, 30), datetime(2026, 11, 1, 1, 30), datetime(1895, 1, 1, 0, 10),
          datetime(2038, 1, 19, 3, 14, 7, 999999), datetime(2038, 1, 19, 3, 14, 8),
          datetime(2026, 1, 1, 0, 0, 0, 100000), datetime(2026, 1, 1, 12, 0, 0, 120),
          datetime(2016, 12, 31, 23, 59, 59, 999999), datetime(1001, 1, 1, 1, 1, 1)]
STAMP_FIRST, STAMP_LAST = datetime(1970, 1, 1, 0, 0, 0, 1), datetime(2038, 1, 19, 3, 14, 7, 999999)


def clock(moment, digits=6, zone=""):
    text = f"{moment.year:04}" + moment.strftime("-%m-%d %H:%M:%S")
    return text + (f".{moment.microsecond:06}"[:1 + digits] if digits else "") + zone


def moments(digits, zone="", refused=lambda moment: "", more=()):
    def values(dice, count):
        some = CLOCKS + [FIRST + timedelta(seconds=dice.randrange(315537897599),
                                           microseconds=dice.randrange(10**6))
                         for _ in range(count)]
        some += [STAMP_FIRST + timedelta(seconds=dice.randrange(2**31 - 1),
                                         microseconds=dice.randrange(10**6)) for _ in range(count)]
        for moment in some:
            text = clock(moment, digits)
            yield Value({"p": text + zone, "m": text, "s": text}, refused(moment))
        for value in more:
            yield Value(*value)
    return values


def not_a_stamp(digits):
    def refused(moment):
        step = 10 ** (6 - digits)
        kept = moment.replace(microsecond=moment.microsecond // step * step)
        return "" if STAMP_FIRST <= kept <= STAMP_LAST else "m"
    return refused


def days(more):
    def values(dice, count):
        some = CLOCKS + [FIRST + timedelta(days=dice.randrange(3652059)) for _ in range(count)]
        for day in sorted({clock(day)[:10] for day in some}):
            yield Value(day)
        for value in more:
            yield Value(*value)
    return values


def times(digits):
    def values(dice, count):
        some = ["00:00:00", "23:59:59", "12:00:00", "00:00:00.000001", "23:59:59.999999"]
        some += [clock(FIRST + timedelta(microseconds=dice.randrange(86400 * 10**6)))[11:]
                 for _ in range(count)]
        for text in some:
            yield Value(text[:8] + (text[8:9 + digits] if digits else ""))
        yield Value("24:00:00")
        yield Value({"m": "-00:00:01"}, "m")
        yield Value({"m": "838:59:59"}, "m")
        yield Value({"m": "24:00:01"}, "m")
    return values


def same_clock(digits=6, zone=False):
    """ISO text in any spelling, cut to its digits."""
    def same(text):
        text = text.replace("T", " ")
        for end in ("Z", "+00:00", "+00"):
            text = text.removesuffix(end) if zone else text
        whole, _, fraction = text.partition(".")
        return (whole + "." + fraction[:digits]).rstrip("0").rstrip(".") if fraction else whole
    return same


INTERVALS = ["PT0S", "P1Y2M3DT4H5M6.789S", "P1M", "P30D", "P1D", "PT24H", "P-1D", "P1M-1D",
             "PT-0.000001S", "P-1MT1S", "P178000000Y", "PT838H59M59S"]


def intervals(dice, count):
    some = INTERVALS + [f"P{dice.randrange(-99, 99)}M{dice.randrange(-99, 99)}DT"
                        f"{dice.randrange(-10**6, 10**6)}.{dice.randrange(10**6):06}S"
                        for _ in range(count)]
    for text in some:
        yield Value(text)


def intervals_of(digits, by="p"):
    """What has more digits of a second is refused there; elsewhere it is any interval."""
    def values(dice, count):
        step = 10 ** (6 - digits)
        for text in ("PT0S", "P1M", "P-1D", "PT24H", "P1Y2M3DT4H5M6S", "PT-1S"):
            yield Value(text)
        for _ in range(count):
            fraction = f"{dice.randrange(10**6) // step * step:06}"
            yield Value(f"P{dice.randrange(-9, 99)}DT-{dice.randrange(10**6)}.{fraction}S")
        for fraction in ("5", "25", "125", "0625", "000001"):
            text = f"PT1.{fraction}S"
            if len(fraction) > digits:
                yield Value({"m": text, "s": text}, by)
    return values


def whole_seconds(dice, count):
    """Of MariaDB's TIME, which has no others, beside an interval that does."""
    for text in ("00:00:00", "-00:00:01", "838:59:59", *(
            f"{dice.randrange(838):02}:{dice.randrange(60):02}:{dice.randrange(60):02}"
            for _ in range(count))):
        yield Value(text)
    for text in ("PT1.5S", "PT-0.000001S", "P1D"):
        yield Value({"p": text}, "m")


def same_interval(text):
    """Of an ISO 8601 duration: months, days, microseconds."""
    sums = {"M": 0, "D": 0, "us": Decimal(0)}
    day, _, clock_part = text.removeprefix("P").partition("T")
    for number, unit in re.findall(r"(-?\d+)([YMWD])", day):
        sums["D" if unit in "WD" else "M"] += int(number) * {"Y": 12, "W": 7}.get(unit, 1)
    for number, unit in re.findall(r"(-?[\d.]+)([HMS])", clock_part):
        sums["us"] += Decimal(number) * {"H": 3600, "M": 60, "S": 1}[unit]
    return f"{sums['M']} {sums['D']} {sums['us'].normalize()}"


def clock_intervals(dice, count):
    """MariaDB's TIME is a count of hours: a day or a month of PostgreSQL is none."""
    some = ["00:00:00", "24:00:00", "-00:00:01", "838:59:59.999999", "-838:59:59.999999",
            "00:00:00.000001", "100:00:00"]
    some += [f"{dice.choice(('', '-'))}{dice.randrange(838):02}:{dice.randrange(60):02}:"
             f"{dice.randrange(60):02}.{dice.randrange(10**6):06}" for _ in range(count)]
    for text in some:
        yield Value(text)
    for text in ("P1D", "P1M", "P1DT1H", "P-1D", "P1DT-24H", "PT839H", "PT-839H", "P1Y"):
        yield Value({"p": text}, "m")


# Texts of a form.

def uuids(refused=lambda text: ""):
    def values(dice, count):
        some = ["0" * 32, "f" * 32, "00112233445566778899AABBCCDDEEFF",
                "00112233445516778899aabbccddee00", "010203040506f708790a0b0c0d0e0f00"]
        some += [f"{dice.getrandbits(128):032x}" for _ in range(count)]
        for word in some:
            text = "-".join((word[:8], word[8:12], word[12:16], word[16:20], word[20:]))
            yield Value({"p": text} if refused(text) else text, refused(text))
    return values


def no_mariadb_uuid(text):
    """From version 8 on it has no place for some variants."""
    return "m" if text[14] >= "8" and "00" < text[19:21] <= "80" else ""


def addresses(refused):
    def values(dice, count):
        some = ["0.0.0.0", "10.1.2.3", "255.255.255.255", "10.1.2.3/8", "10.1.2.3/32", "0.0.0.0/0",
                "::", "::1", "2001:db8::1", "2001:db8:0:0:1:0:0:1", "::ffff:10.1.2.3", "::10.1.2.3",
                "fe80::1/64", "2001:DB8::A", "::/0", "1:0:0:2:0:0:0:3", "1::2:0:0:3:4:5", "::2:3",
                "1:2:3:4:5:6:7::", "::1:2:3:4:5:6:7", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]
        some += [":".join(dice.choice(("0", "0", f"{dice.getrandbits(16):x}")) for _ in range(8))
                 for _ in range(count)]
        some += [".".join(str(dice.getrandbits(8)) for _ in range(4)) for _ in range(count)]
        for text in some:
            yield Value(text, refused(text))
    return values


def json_value(text):
    def number(spelled):
        value = EXACT.create_decimal(spelled).normalize(EXACT)
        return "number " + str(value if value else Decimal(0))

    def strings(value):
        if isinstance(value, dict):
            return {key: strings(one) for key, one in value.items()}
        return [strings(one) for one in value] if isinstance(value, list) else value
    return json.dumps(strings(json.loads(text, parse_int=number, parse_float=number)),
                      sort_keys=True)


JSONS = ["{}", "[]", "null", "true", "false", '""', "0", "-0", "12", '"a"', '"12"', "[1,2,3]",
         '{"b":1,"a":2}', '{ "a" : 1, "a" : 2 }', '{"a":{"z":[],"":null},"B":1}',
         "[12345678901234567890]", "[0.1,1e5,1E-7,1.50,-0.0,100]", "[1e400,-1e-400]",
         '["\\u00e4\\ud83d\\ude00\\/"]', '["ä😀"]', '["\\n\\t\\b\\f\\r\\\\\\""]', '{"\\u20ac":1}',
         '{"😀":1,"\ufb33":2}', '["\\u0001\\u001f\\u007f"]', '["\u2028"]', "[[[[1]]]]", '" a "',
         '{"a ":1,"a":2}', '[{"k":null},[]]', '{"A":1,"a":1}', "[123456789.123456789123456789]",
         '[1,[2,"x"]]', '["NULL",null]']


def jsons(refused=lambda text: "", more=()):
    def random_json(dice, depth=0):
        kind = dice.randrange(6 if depth < 3 else 4)
        if kind == 0:
            return dice.choice(("null", "true", "false"))
        if kind == 1:
            return decimal_text(dice, 25, 12)
        if kind < 4:
            text = "".join(dice.choice(LETTERS) for _ in range(dice.randrange(6)))
            return json.dumps(text, ensure_ascii=bool(dice.getrandbits(1)))
        inner = [random_json(dice, depth + 1) for _ in range(dice.randrange(4))]
        if kind == 4:
            return "[" + ", ".join(inner) + "]"
        return "{" + ",".join(json.dumps(dice.choice(LETTERS)) + ": " + one for one in inner) + "}"

    def values(dice, count):
        for text in JSONS + ["[" + random_json(dice) + "]" for _ in range(count)]:
            yield Value(text, refused(text))
        yield from more
    return values


def arrays(*both, no_arrays):
    """As JSON and as PostgreSQL writes them; what no array of the column holds is refused there."""
    def values(dice, count):
        del dice, count
        for text, array in both:
            yield Value({"p": array, "m": text, "s": text})
        yield Value({"p": "[0:1]={1,2}"}, "p")
        for text in no_arrays:
            yield Value({"m": text, "s": text}, "p")
    return values


def labels(known, more):
    def values(dice, count):
        for text in (*known, *(dice.choice(known) for _ in range(count))):
            yield Value(text)
        for value in more:
            yield Value(*value)
    return values


COLOURS = ["red", "Green", "blau gelb", "ä", "2", "it's"]
COLOUR_LIST = ", ".join("'" + colour.replace("'", "''") + "'" for colour in COLOURS)
SETS = any_of("", "a", "b,a", "a,b,c", "c", ({"p": "a,x", "s": "a,x"}, "m"))


# As an array of PostgreSQL too; what is no set in it.
SET_ARRAYS = any_of(*({"p": f"{{{labels}}}", "m": labels, "s": labels}
                      for labels in ("", "a", "b,a", "a,b,c")),
                    ({"p": "{a,x}", "s": "a,x"}, "m"), ({"p": "{a,a}"}, "p"),
                    ({"p": "{a,NULL}"}, "p"), ({"p": "{{a},{b}}"}, "p"))


def sorted_set(text):
    return ",".join(sorted(set(text.strip("{}").split(","))))


# Geometries: the SRID as each system keeps it, then the WKB.

def geometry(srid, wkb):
    big, little = (srid.to_bytes(4, order) + bytes.fromhex(wkb) for order in ("big", "little"))
    return {"p": big, "m": little, "s": big}


PLACE = "000000000000f03f0000000000000040"
POINT = "0101000000" + PLACE
GEOMETRIES = any_of(
    geometry(0, POINT), geometry(4326, POINT), geometry(4326, "010200000002000000" + 2 * PLACE),
    geometry(0, "01030000000100000004000000" + 4 * PLACE), ({"p": b"\0\0", "s": b"\0\0"}, "ps"))


def composites(dice, count):
    """Of (n integer, name text); what is no object of both is refused there."""
    names = ["", "a b", "(", ",", '"', "\\", "NULL", "ä😀"]
    names += ["".join(dice.choice(LETTERS) for _ in range(9)) for _ in range(count)]
    for name in (None, *names):
        number = dice.choice((None, 0, -1, 2**31 - 1))
        quoted = "" if name is None else '"' + name.replace("\\", "\\\\").replace('"', '""') + '"'
        text = json.dumps({"n": number, "name": name})
        yield Value({"p": f"({'' if number is None else number},{quoted})", "m": text, "s": text})
    for text in ('{"n":1}', '{"n":1,"name":2}', '{"n":1,"name":"a","x":0}', "[1]", '"(1,a)"',
                 '{"n":2147483648,"name":"a"}'):
        yield Value({"m": text, "s": text}, "p")


def no_zero_date(text):
    """What is read as NULL where the dataset says so."""
    is_none = "infinity" in text or text.endswith("BC") or text[:4] == "0000" or "-00" in text[:10]
    return None if is_none else text
