"""Pack Vimeo-90K, 642,000 small PNG files, into few large files that are read four times as fast.

Stopped at any moment, the same command goes on. ``python -m datamodules.pack ROOT OUT``; see docs/vimeo90k.md.
"""

import argparse
import fcntl
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
from tqdm import tqdm

from datamodules.cores import cores
from datamodules.errors import DataError
from datamodules.pack_formats import Format
from datamodules.pack_index import finish, tidy
from datamodules.pack_plan import Plan, estimate, make_plan, read_facts, settle
from datamodules.pack_pool import WorkerDiedError, work
from datamodules.pack_shard import record_type, write_shard
from datamodules.pack_verify import wrong_clips, wrong_lists
from datamodules.packed import INDEX, Pack, is_packed


def pack(root: Path, out: Path, form: Format, processes: int, allow_missing: bool) -> str:
    """Pack, or go on packing.

    Returns:
        What came of it, in one line.

    Raises:
        DataError: wrong folders, missing or damaged pictures, a full disk.
    """
    plan = make_plan(root, out, form, allow_missing)
    with alone(out):
        settle(plan)
        if (out / INDEX).is_file():
            tidy(plan)  # which may be all that was left to do
            return f"{out}: {len(plan.names)} clips, packed before; --verify checks them"
        announce(plan, processes)
        started = time.perf_counter()
        bar = tqdm(total=len(plan.names), initial=clips_done(plan), unit="clip", desc="packing")
        with bar, closing(work(write_shard, plan.shards(), processes)) as steps:
            for _ in steps:
                bar.update(clips_done(plan) - bar.n)
        finish(plan)
        tidy(plan)
    size = sum(shard.path.stat().st_size for shard in plan.shards())
    return f"{out}: {len(plan.names)} clips, {amount(size)}, {duration(time.perf_counter() - started)}"


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Keep other commands out of a folder, which is made if need be.

    Raises:
        DataError: another one is at work there.
    """
    out.mkdir(parents=True, exist_ok=True)
    folder = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise DataError(out, "a folder nobody packs into", "one at work", "wait for it, or give another folder") from error
    finally:
        os.close(folder)


def clips_done(plan: Plan) -> int:
    """Clips on the disk, by the lengths of the journals."""
    record = record_type(plan.layout.length).itemsize
    return sum(shard.journal.stat().st_size // record for shard in plan.shards() if shard.journal.exists())


def announce(plan: Plan, processes: int) -> None:
    """Say how many clips, how long, how many bytes.

    Raises:
        DataError: there is not room enough.
    """
    each, done, free = estimate(plan), clips_done(plan), shutil.disk_usage(plan.out).free
    left = len(plan.names) - done
    seconds, room = left * each.seconds / min(processes, cores()), left * each.bytes
    if plan.missing:
        say(plan.missing)
    before = f", {done} of them packed before" if done else ""
    say(
        f"{plan.root}: {len(plan.names)} clips of {plan.layout.length} pictures {plan.size[1]}x{plan.size[0]}{before}; "
        f"{plan.form}, {processes} processes: about {duration(seconds)} and {amount(room)} ({amount(free)} free)"
    )
    if room > free:
        action = "make room, or give a folder on another disk" + (", or --format small" if plan.form == "lossless" else "")
        raise DataError(plan.out, f"{amount(room)} of room", amount(free), action)


def amount(size: float) -> str:
    """Bytes for people."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def duration(seconds: float) -> str:
    """Seconds for people."""
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"


def verify(root: Path, out: Path, processes: int) -> int:
    """Check everything, and name what is wrong.

    Returns:
        How many things are wrong.

    Raises:
        DataError: there is no finished pack, or it was packed from another folder.
    """
    index = Pack(out).index
    shards = np.unique(index.shard).tolist()
    # The small form has no picture it must equal.
    sequences = root / "sequences" if index.form == "lossless" and (root / "sequences").is_dir() else None
    if sequences and read_facts(out).get("root") != str(root.resolve()):
        raise DataError(out, f"a pack of {root.resolve()}", f"one of {read_facts(out).get('root')}", "give that folder")
    wrong = list(wrong_lists(out))
    bar = tqdm(total=len(shards), unit="shard", desc="checking")
    with bar, closing(work(partial(wrong_clips, out, sequences=sequences), shards, processes)) as steps:
        for results in steps:
            wrong += [line for result in results for line in result]
            bar.update(len(results))
    print(*wrong, sep="\n", end="\n" if wrong else "")
    compared = "compared with their pictures" if sequences else "checked alone"
    say(f"{out}: {len(index.name)} clips {compared}; {len(wrong)} things wrong")
    return len(wrong)


def say(line: str) -> None:
    """Tell the person who runs this."""
    print(line, file=sys.stderr)


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    made = argparse.ArgumentParser(prog="python -m datamodules.pack", description=__doc__, allow_abbrev=False)
    made.add_argument("root", type=Path, metavar="ROOT", help="folder with sequences/ and the published lists")
    made.add_argument("out", type=Path, metavar="OUT", help="folder for the packed set")
    made.add_argument("--format", choices=get_args(Format), default="lossless", help="small: JPEG, a fifth of the bytes")
    made.add_argument("--processes", type=int, default=cores(), help="default: one for each core")
    made.add_argument("--allow-missing", action="store_true", help="leave out listed sequences that are not on the disk")
    made.add_argument("--verify", action="store_true", help="check OUT, against the pictures in ROOT where they are")
    return made


def main(args: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0; 1 when --verify found something wrong; 2 and one line on standard error for a mistake; 130 when interrupted.
    """
    options = parser()
    given = options.parse_args(args)
    if given.processes < 1:
        options.error(f"--processes must be >= 1, got {given.processes}")
    try:
        if given.verify:
            return int(verify(given.root, given.out, given.processes) > 0)
        say(pack(given.root, given.out, given.format, given.processes, given.allow_missing))
    except KeyboardInterrupt:
        say("interrupted; what is packed stays, run the same command to go on" if is_packed(given.out) else "interrupted")
        return 130
    except (DataError, WorkerDiedError) as error:
        say(f"error: {error}")
        return 2
    except OSError as error:
        say(f"error: {error.filename or given.out}: {error.strerror}")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
