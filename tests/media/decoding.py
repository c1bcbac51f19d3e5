"""Decode hostile files, each in a process of its own: a crash, a hang and what it took show whatever the decoder does.

    python -m tests.media.decoding FIRST LAST [STEP]

prints one line of JSON for each file that was decoded otherwise than it should be, and one with the sums. Pillow and
the decoder are loaded once; every file gets a fork of that process, whose end says how it went.
"""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import signal
import sys
import time
from collections import Counter

from tests.media.mutations import hostile

SECONDS = 1.0
"""Of processor time, so that a busy machine is no failure."""
HUNG_S = 120.0
BYTES = 512 << 20
"""The most that the whole process may hold, interpreter and libraries among it."""
# Above what is asked for, so that what goes over it is measured and not merely refused; under what hurts the machine.
CEILING = 4 << 30
MOST_SECONDS = 10
"""Of processor time; then the file is given up, its process with it."""
DECODED, REFUSED, OTHER = 0, 1, 2


def decode(content: bytes) -> int:
    """In the child: how the decoder answered."""
    from guardrail.errors import InputError
    from guardrail.media import decode_image

    try:
        image = decode_image(content)
    except InputError:
        return REFUSED
    fine = all(f.ndim == 3 and f.shape[2] in (3, 4) and f.dtype == "uint8" and f.size for f in image.frames)
    return DECODED if image.frames and fine else OTHER


def forked(content: bytes) -> tuple[str, float, int]:
    """(how it ended, seconds of processor time, bytes at most)."""
    child = os.fork()
    if child == 0:
        code = OTHER
        faulthandler.disable()  # a crash is what is counted; its trace would only fill the log
        try:
            resource.setrlimit(resource.RLIMIT_AS, (CEILING, CEILING))
            resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            code = decode(content)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is what this looks for
            print(type(error).__name__, error, file=sys.stderr)
        finally:
            os._exit(code)
    begun = time.monotonic()
    while True:
        pid, status, used = os.wait4(child, os.WNOHANG)
        if pid:
            break
        if time.monotonic() - begun > HUNG_S:
            os.kill(child, signal.SIGKILL)
            os.wait4(child, 0)
            return "hung", HUNG_S, 0
        time.sleep(0.001)
    seconds = used.ru_utime + used.ru_stime
    memory = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    if os.WIFSIGNALED(status):
        return f"killed by signal {os.WTERMSIG(status)}", seconds, memory
    code = os.WEXITSTATUS(status)
    return {DECODED: "decoded", REFUSED: "refused"}.get(code, "another error"), seconds, memory


def main(first: int, last: int, step: int = 1) -> None:
    from guardrail.media import decode_image
    from tests.media.pictures import hostile_seeds

    for content in hostile_seeds().values():
        decode_image(content)  # what loads lazily is loaded now, and not in every fork
    ends: Counter[str] = Counter()
    slowest = largest = 0.0
    for number in range(first, last, step):
        kind, content = hostile(number)
        end, seconds, memory = forked(content)
        for _ in range(2):
            if end in ("decoded", "refused") and seconds > SECONDS:
                # Others on the machine make processor time longer, too: what is slow is slow every time.
                end, again, memory = forked(content)
                seconds = min(seconds, again)
        ends[end] += 1
        slowest, largest = max(slowest, seconds), max(largest, memory)
        if end not in ("decoded", "refused") or seconds > SECONDS or memory > BYTES:
            wrong = {"number": number, "kind": kind, "end": end, "seconds": seconds, "mib": memory >> 20}
            print(json.dumps(wrong), flush=True)
    print(json.dumps({"ends": ends, "slowest_s": round(slowest, 3), "largest_mib": int(largest) >> 20}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
