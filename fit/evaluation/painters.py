"""What is judged: networks from checkpoints or Python, and the controls they are compared with."""

import importlib
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fit.evaluation.card import Fact
from fit.evaluation.clips import Look
from fit.evaluation.looks import look_of, restored
from fit.folder import RUNS
from fit.onnx_file import is_onnx
from fit.onnx_run import OnnxNetwork
from fit.stream import AnySize, Paint, load_whole
from lightning_modules.checkpoint_folder import newest_good

BLUR = 5  # pixels of the box of the blurred control


@dataclass(frozen=True)
class Painter:
    """Repaints frames ``(N, 3, H, W)`` in [-1, 1].

    Args:
        name: in tables.
        kind: the unpainted input, a control, or a network.
        paint: what it does, to the frames of a clip in their order.
        back: repaints painted frames as content, if it can: the cycle.
        network: whose parameters are counted, if there is one.
        facts: about it.
        look: the style it was trained on, if that is known.
        in_torch: whether torch computes, and so knows how much memory that takes.
    """

    name: str
    kind: Literal["input", "control", "network"]
    paint: Paint
    back: Paint | None = None
    network: nn.Module | None = None
    facts: dict[str, Fact] = field(default_factory=dict)
    look: Look | None = None
    in_torch: bool = True


def controls(styles: Iterable[Tensor]) -> list[Painter]:
    """The input, and two cheap cheats: the style's mean colour, and a blur.

    Args:
        styles: pictures of the style, each ``(N, 3, H, W)`` in [-1, 1].
    """
    means = [picture.mean((0, 2, 3)) for picture in styles]
    colour = torch.stack(means).mean(0)
    return [
        Painter("input", "input", lambda frames: frames),
        Painter("mean colour", "control", lambda frames: towards(frames, colour)),
        Painter("blur", "control", blurred),
    ]


def towards(frames: Tensor, colour: Tensor) -> Tensor:
    """Shift the colours of a clip so that their mean is another ``(3,)``: the same shift for all its frames."""
    shift = colour.to(frames) - frames.mean((0, 2, 3))
    return (frames + shift.view(3, 1, 1)).clamp(-1, 1)


def blurred(frames: Tensor) -> Tensor:
    """The mean of 5x5 pixels."""
    around = BLUR // 2
    return F.avg_pool2d(F.pad(frames, (around,) * 4, mode="replicate"), BLUR, stride=1)


def networks(names: Sequence[str], device: str) -> list[Painter]:
    """The networks a command line names; checkpoints of one run are named after their steps.

    Args:
        names: of checkpoint files, of ``.onnx`` files of ``fit.export``, of run folders (their newest checkpoint), or
            ``module:function`` or ``file.py:function``, where the function makes a painter out of nothing: for networks of
            others.
        device: to paint on.

    Raises:
        CheckpointError, OnnxError: one is missing, damaged or something else.
        ValueError: no such module or function.
    """
    made = [from_name(name, device) for name in names]
    known = [painter.name for painter in made]
    steps = [f"{painter.name} step {painter.facts.get('step', number)}" for number, painter in enumerate(made)]
    return [  # several checkpoints of a run
        painter if known.count(painter.name) == 1 else replace(painter, name=name)
        for painter, name in zip(made, steps, strict=True)
    ]


def from_name(name: str, device: str) -> Painter:
    """One of them."""
    if is_python(name):
        return from_python(name, device)
    return from_onnx(Path(name), device) if is_onnx(Path(name)) else from_checkpoint(Path(name), device)


def distinct(painters: Sequence[Painter]) -> list[Painter]:
    """The same painters, with a number behind a name that one before has already."""
    made: dict[str, Painter] = {}
    for painter in painters:
        name, number = painter.name, 1
        while name in made:
            number += 1
            name = f"{painter.name} ({number})"
        made[name] = replace(painter, name=name)
    return list(made.values())


def from_checkpoint(path: Path, device: str) -> Painter:
    """The averaged generator of a checkpoint; of a run folder its newest undamaged one.

    Raises:
        CheckpointError: it is missing, damaged or something else.
    """
    if (path / "checkpoints").is_dir() and (found := newest_good(path / "checkpoints")):
        path = found[0]
    method = load_whole(path, device)
    stylizer, back = method.stylizer(), method.unstylizer()
    run = run_of(path)
    return Painter(
        run.name if run else path.stem,
        "network",
        AnySize(stylizer, stylizer.size_multiple, stylizer.min_size),
        back and AnySize(back, back.size_multiple, back.min_size),
        stylizer,
        {"checkpoint": str(path), "step": method.generator_step},
        look_of(run) if run else None,
    )


def from_onnx(path: Path, device: str) -> Painter:
    """An exported network, named after the run it comes from.

    Raises:
        OnnxError: it is missing, damaged or something else, or a package for it is missing.
    """
    network = OnnxNetwork(path, device)
    about = network.description
    facts: dict[str, Fact] = {"checkpoint": str(path), "step": about.step, "parameters": about.parameters}
    return Painter(
        f"{about.run or path.stem} ({about.precision} ONNX)",
        "network",
        AnySize(network, about.size_multiple, about.min_size),
        facts=facts | {"computed by": network.runtime},
        look=restored(about.style) if about.style else None,
        in_torch=False,
    )


def run_of(checkpoint: Path) -> Path | None:
    """The folder of the run a checkpoint lies in, if it lies in one."""
    folder = checkpoint.absolute().parent
    return folder.parent if folder.name == "checkpoints" and (folder.parent / "config.yaml").exists() else None


def framewise() -> Path | None:
    """The newest run of ``fit/recipes/framewise.yaml`` here, the control that looks at single frames, if there is one."""
    found = [path for path in sorted(RUNS.glob("*-framewise*")) if (path / "checkpoints" / "last.ckpt").exists()]
    return found[-1] if found else None


def is_python(name: str) -> bool:
    """Whether a name means a function in a module or in a Python file, and not a checkpoint."""
    return re.fullmatch(r"([A-Za-z_][\w.]*|.+\.py):[A-Za-z_]\w*", name) is not None and not Path(name).exists()


def from_python(name: str, device: str) -> Painter:
    """What ``module:function`` or ``file.py:function`` makes: something that repaints frames, as ``Painter.paint`` does.

    A network goes to the device, and repaints as it would after training (``eval``).

    Raises:
        ValueError: no such module or function, or nothing that can be called comes out.
    """
    where, _, function = name.rpartition(":")
    try:
        paint = getattr(imported(where), function)()
    except (ImportError, AttributeError, OSError) as error:
        expected = "module:function or file.py:function of something that can be imported here"
        raise ValueError(f"{name}: expected {expected}, got: {error}") from error
    if not callable(paint):
        raise ValueError(f"{name}: expected a function that returns a painter, got one that returns {type(paint).__name__}")
    label = f"{Path(where).stem if where.endswith('.py') else where}:{function}"
    if isinstance(paint, nn.Module):
        return Painter(label, "network", paint.to(device).eval(), network=paint)
    return Painter(label, "network", paint)


def imported(where: str) -> ModuleType:
    """A module by its name, found from the working directory, too, or by its file."""
    if where.endswith(".py"):
        spec = spec_from_file_location(Path(where).stem, where)
        if spec is None or spec.loader is None:
            raise ImportError(f"{where} cannot be loaded")
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    sys.path.insert(0, str(Path.cwd()))  # as python -m does, and the console scripts of others do not
    try:
        return importlib.import_module(where)
    finally:
        sys.path.pop(0)
