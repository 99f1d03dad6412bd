#!/usr/bin/env python3
"""The test of the tests: every defect of mutations.py must make its test program fail.

Its changed files are compiled with the build's own flags and linked in front of the libraries that
hold the sound ones; the tree stays as it is. A defect is caught where its program fails and
says what the defect's entry expects. It is not where the program passes, is killed, runs without
end, fails for another reason or cannot be built; nor where the sound program fails as well (of the
simulator's seeds the one that caught it is what counts), or the text to replace is gone. Passes
only if all are caught. Needs the programs built.
"""
import argparse
import concurrent.futures
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import time

from mutations import MUTATIONS, SIMULATOR

RUN_CPU_SECONDS_MAX = 120  # of the processor, for the machine may be busy with other things
RUN_SECONDS_MAX = 900
SHOWN_MAX = 100


def commands(build, program):
    found = subprocess.run(["ninja", "-C", str(build), "-t", "commands", program], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    return [line for line in found if line]


def mutate(source, change):
    """The changed files' texts, by path."""
    texts = {}
    for file, old, new in change["edits"]:
        text = texts.get(file) or (source / file).read_text()
        pattern = r"\s+".join(re.escape(word) for word in old.split())
        count = len(re.findall(pattern, text))
        if count != 1:
            raise SystemExit(f"mutation '{change['name']}': its text stands {count} times in "
                             f"{file}, not once:\n{old}")
        texts[file] = re.sub(pattern, lambda _, new=new: new, text)
    return texts


def compile_mutant(source, build, change, folder, lines):
    objects = []
    for file, text in mutate(source, change).items():
        mutant = folder / file.replace("/", "-")
        made = mutant.with_suffix(".o")
        mutant.write_text(text)
        sound = f" -c {source / file}"
        line = next(line for line in lines if line.endswith(sound))
        line = re.sub(r" -MD| -M[TF] \S+", "", line)
        line = line.replace(sound, f" -c {shlex.quote(str(mutant))}")
        line = re.sub(r" -o \S+", f" -o {shlex.quote(str(made))}", line)
        subprocess.run(line, shell=True, check=True, cwd=build, capture_output=True, text=True)
        objects.append(shlex.quote(str(made)))
    return objects


def link_mutant(build, lines, objects, program):
    line, count = re.subn(r" -o \S+", f" {' '.join(objects)} -o {shlex.quote(str(program))}",
                          lines[-1], count=1)
    if count != 1:
        raise SystemExit(f"cannot link a mutant by this command:\n{lines[-1]}")
    subprocess.run(line, shell=True, check=True, cwd=build, capture_output=True, text=True)


def execute(source, program, arguments):
    """(exit status or None where it ran without end, what it printed)"""
    limit = ["prlimit", f"--cpu={RUN_CPU_SECONDS_MAX}"]
    try:
        ended = subprocess.run([*limit, program, *arguments], cwd=source, capture_output=True,
                               text=True, timeout=RUN_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        return None, ""
    status = None if ended.returncode == -signal.SIGXCPU else ended.returncode
    return status, ended.stdout + ended.stderr


def judge(change, status, output):
    said = re.search(change["caught"], output)
    if status == 0:
        return "survives", ""
    if status is None:
        return "runs without end", ""
    if status != 1:
        return f"ends with status {status}", output.strip()[-SHOWN_MAX:]
    if not said:
        return "fails for another reason", output.strip()[:SHOWN_MAX]
    return "caught", output[output.rfind("\n", 0, said.start()) + 1:].strip().splitlines()[0]


def run(source, build, change):
    begin = time.monotonic()
    program, arguments = change["by"]
    folder = build / "mutation" / re.sub(r"\W+", "-", change["name"])
    folder.mkdir(parents=True, exist_ok=True)
    mutant = folder / "program"
    try:
        lines = commands(build, program)
        link_mutant(build, lines, compile_mutant(source, build, change, folder, lines), mutant)
    except subprocess.CalledProcessError as error:
        return change, "does not build", error.stderr[-1500:], time.monotonic() - begin
    status, output = execute(source, mutant, arguments)
    (folder / "output.txt").write_text(output)
    mutant.unlink()
    outcome, shown = judge(change, status, output)
    if outcome == "caught" and is_simulator(change["by"]):
        seed = re.search(r"^seed (\d+) FAILED", output, re.M)[1]
        if not is_sound(source, build, (program, ["--seeds", f"{seed}-{seed}"])):
            outcome = "fails without the defect, too"
    return change, outcome, shown, time.monotonic() - begin


def is_simulator(by):
    return by[0] == SIMULATOR[0]


def is_sound(source, build, by):
    program, arguments = by
    status, output = execute(source, build / program, list(arguments))
    if status != 0:
        print(f"the sound program fails: {program} {' '.join(arguments)}\n{output[-1500:]}")
    return status == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True, type=pathlib.Path)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--only", default="", help="those whose name holds this text")
    parser.add_argument("--jobs", type=int, default=2)
    a = parser.parse_args()
    chosen = [change for change in MUTATIONS if a.only in change["name"]]
    for change in chosen:
        mutate(a.source, change)  # a text that is not there fails before anything is built
    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        programs = {(change["by"][0], tuple(change["by"][1])) for change in chosen
                    if not is_simulator(change["by"])}
        if not all(list(pool.map(lambda by: is_sound(a.source, a.build, by), programs))):
            sys.exit(1)
        waiting = [pool.submit(run, a.source, a.build, change) for change in chosen]
        caught_count = 0
        for done in concurrent.futures.as_completed(waiting):
            change, outcome, shown, seconds = done.result()
            caught_count += outcome == "caught"
            print(f"{outcome} ({seconds:.1f} s): {change['name']}: {shown[:SHOWN_MAX * 2]}",
                  flush=True)
    print(f"{caught_count} of {len(chosen)} mutations caught")
    sys.exit(caught_count != len(chosen))


if __name__ == "__main__":
    main()
