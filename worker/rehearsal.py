"""A stand-in for an agent's CLI, for the local region and for tests. It never ships in an image.

It says that it is a rehearsal, makes one small change that depends on the task alone, and can act out a
situation that the task asks for with a line of its own, `rehearse: VERB ARGUMENT`:

    no-changes          changes nothing
    sleep SECONDS       works that long, saying so
    fail CODE           ends with that exit code
    crash               dies of a segmentation fault
    memory MIB          takes that much memory and keeps it
    stubborn            ignores SIGTERM
    orphan              leaves a daemon of its own behind
    commit              commits its change itself
    environment         prints the names of its environment variables
    replay NAME         prints the recording `rehearsals/NAME.txt` and ends as it did
"""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

RECORDINGS = Path(__file__).with_name("rehearsals")
CHANGED = "OUTPOST-REHEARSAL.md"


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a CLI's output


def directives(task: str) -> list[tuple[str, str]]:
    """The `rehearse:` lines of a task, as verb and argument."""
    found = []
    for line in task.splitlines():
        head, separator, rest = line.strip().partition(":")
        if separator and head == "rehearse" and rest.strip():
            verb, _, argument = rest.strip().partition(" ")
            found.append((verb, argument.strip()))
    return found


def change(agent: str, task: str) -> None:
    """Add one line to one file: deterministic, and different for different tasks."""
    digest = hashlib.sha256(task.encode()).hexdigest()[:12]
    with Path(CHANGED).open("a", encoding="utf-8") as file:
        file.write(f"- rehearsal of {agent}, task {digest}\n")
    say(f"tool write: {CHANGED}")


def sleep(argument: str) -> None:
    seconds = float(argument or 1)
    end = time.monotonic() + seconds
    step = 0
    while (left := end - time.monotonic()) > 0:
        step += 1
        say(f"tool work: step {step}, {left:.0f} s to go")
        time.sleep(min(1.0, left))


def fail(argument: str) -> None:
    say(f"rehearsal: ending with exit code {argument or 1}")
    sys.exit(int(argument or 1))


def crash(_: str) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def memory(argument: str) -> None:
    kept = bytearray(int(argument or 64) * 1024 * 1024)
    kept[::4096] = b"x" * len(kept[::4096])
    say(f"tool memory: {argument} MiB taken")
    time.sleep(60)


def stubborn(_: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def orphan(_: str) -> None:
    daemon = subprocess.Popen(
        ["sleep", "300"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
    )
    say(f"tool daemon: {daemon.pid}")


def commit(_: str) -> None:
    Path("REHEARSAL-COMMIT.md").write_text("committed by the rehearsal\n", encoding="utf-8")
    identity = ("-c", "user.name=Rehearsal", "-c", "user.email=rehearsal@localhost")
    subprocess.run(["git", "add", "REHEARSAL-COMMIT.md"], check=True)
    subprocess.run(["git", *identity, "commit", "--quiet", "-m", "Rehearse a commit"], check=True)
    say("tool shell: git commit")


def environment(_: str) -> None:
    for name in sorted(os.environ):
        say(f"variable {name}")


def replay(name: str) -> None:
    """Print a recording. Its `#!` lines steer it: `delay SECONDS`, `repeat`, `hang`, `exit CODE`."""
    recording = RECORDINGS / f"{Path(name).name}.txt"
    if not recording.is_file():
        known = ", ".join(sorted(path.stem for path in RECORDINGS.glob("*.txt")))
        say(f"rehearsal: there is no recording {name!r}; there are: {known}")
        sys.exit(2)
    lines = recording.read_text(encoding="utf-8").splitlines()
    pause, position = 0.0, 0
    while position < len(lines):
        line = lines[position]
        position += 1
        verb, _, argument = line.removeprefix("#!").strip().partition(" ")
        if not line.startswith("#!"):
            say(line)
            time.sleep(pause)
        elif verb == "delay":
            pause = float(argument)
        elif verb == "repeat":
            position = 0
        elif verb == "hang":
            time.sleep(86_400)
        elif verb == "exit":
            sys.exit(int(argument))
    sys.exit(0)


VERBS: dict[str, Callable[[str], None]] = {
    "sleep": sleep,
    "fail": fail,
    "crash": crash,
    "memory": memory,
    "stubborn": stubborn,
    "orphan": orphan,
    "commit": commit,
    "environment": environment,
    "replay": replay,
}


def main(agent: str, prompt: str) -> int:
    """Rehearse `agent` on the task in the file `prompt`, in the current directory; the exit code."""
    task = Path(prompt).read_text(encoding="utf-8")
    say(f"This is a rehearsal of {agent}: a stand-in that calls no model.")
    asked = directives(task)
    for verb, argument in asked:
        if verb == "no-changes":
            continue
        if verb not in VERBS:
            say(f"rehearsal: cannot act out {verb!r}; it knows: no-changes, {', '.join(VERBS)}")
            return 2
        VERBS[verb](argument)
    if ("no-changes", "") not in asked:
        change(agent, task)
    say("rehearsal: done")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
