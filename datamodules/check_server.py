"""``python -m datamodules.check_server``: checks the video files named on standard input, see ``check_process``."""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2

from datamodules.errors import DataError
from datamodules.video_check import check_video
from datamodules.videos import to_json


def answer(path: Path, progress: Callable[[float], None]) -> dict[str, Any]:
    """What there is to say about a file."""
    try:
        return {"video": to_json(check_video(path, progress))}
    except DataError as error:
        return {"error": [error.expected, error.got, error.action]}
    except Exception as error:
        # Damage may lead anywhere; that the one file is left out, with this reason, is enough.
        return {"died": f"{type(error).__name__}: {error}".split("\n")[0]}


def serve() -> None:
    """Answer paths, a line of JSON each, with lines of JSON, until there are no more."""
    # Native libraries may write to standard output, too; that now goes where errors go.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    cv2.setNumThreads(1)  # as many processes as cores are at work
    said = time.monotonic()

    def say(what: dict[str, Any]) -> None:
        nonlocal said
        said = time.monotonic()
        print(json.dumps(what), file=out, flush=True)

    say({"ready": True})
    for line in sys.stdin:
        say(answer(Path(json.loads(line)), lambda share: say({"share": share}) if time.monotonic() > said + 1 else None))


if __name__ == "__main__":
    serve()
