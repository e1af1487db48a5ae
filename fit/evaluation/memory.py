"""How much memory painting a frame takes."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch.profiler import ProfilerActivity, profile

from fit.evaluation.one_frame import Size, paint_frame, random_frame
from fit.stream import Paint


def peak_memory(paint: Paint, size: Size, device: str = "cpu") -> int:
    """The most that torch's allocator for the device has handed out while one frame is painted, above what it had before.

    Activations, the painted frame, and the copies and workspaces that operators take from that allocator; not the weights and
    the frame that is painted, which are there before, and not what libraries such as oneDNN take from elsewhere. What is made
    with the first frame and kept (workspaces on a GPU) counts, unless a frame of this size has been painted before.

    Returns:
        Bytes.
    """
    frame = random_frame(size, device)
    if frame.is_cuda:
        before = torch.cuda.memory_allocated(frame.device)
        torch.cuda.reset_peak_memory_stats(frame.device)
        paint_frame(paint, frame)
        return torch.cuda.max_memory_allocated(frame.device) - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # it tells of its own start, and of GPUs that are not there
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        paint_frame(paint, frame)
    return max_held(changes(profiled))


def changes(profiled: profile) -> list[int]:
    """Bytes by which what the CPU's allocator has handed out rose, or fell, from one moment to the next."""
    with TemporaryDirectory() as folder:  # the trace is the public form of what was profiled
        path = Path(folder, "trace.json")
        profiled.export_chrome_trace(str(path))
        events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    moments = [event for event in events if event.get("name") == "[memory]"]
    return [moment["args"]["Bytes"] for moment in sorted(moments, key=lambda moment: moment["ts"])]


def max_held(changes: Sequence[int]) -> int:
    """The highest sum of the first few changes, at least 0."""
    held = most = 0
    for change in changes:
        held += change
        most = max(most, held)
    return most
