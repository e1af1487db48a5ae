"""A narrower network out of a wider one: whole channels go, those that weigh least, so that any hardware gets faster by it.

Li et al., "Pruning filters for efficient ConvNets", ICLR 2017, rank a channel by the weights that make it. Here those that read
it count as well: what nobody listens to may be loud.
"""

import torch
from torch import Tensor

State = dict[str, Tensor]


def pruned(state: State, width: int) -> State:
    """Weights of a ``RealtimeGenerator`` cut to the channels that weigh most; to be trained on.

    Args:
        state: its ``state_dict``.
        width: of the narrower network, at most that of the wider one.

    Returns:
        The ``state_dict`` of a ``RealtimeGenerator`` of that width and the same depth.

    Raises:
        ValueError: it is narrower already.
    """
    wide = len(state["stem.weight"])
    if width > wide:
        raise ValueError(f"pruned: expected a width of at most {wide}, the network's own, got {width}")
    blocks = sorted({name.split(".")[1] for name in state if name.startswith("deep.")}, key=int)
    makes = [f"deep.{block}.narrow" for block in blocks]
    reads = [f"deep.{block}.widen" for block in blocks]
    kept = {name: value.clone() for name, value in state.items()}
    cut(kept, ["stem"], [], ["down", "head"], ["up"], width)
    # The positions of the residual blocks add up, so all of them keep the same channels.
    cut(kept, ["down", *makes], [f"deep.{block}.across" for block in blocks], ["up", *reads], [], 2 * width)
    for block in blocks:
        cut(kept, [f"deep.{block}.widen"], [], [f"deep.{block}.narrow"], [], 2 * width)
    return kept


def cut(state: State, makers: list[str], alone: list[str], readers: list[str], added: list[str], count: int) -> None:
    """Keep the ``count`` channels that weigh most between some convolutions, in place.

    Args:
        state: weights and biases.
        makers: convolutions whose outputs they are; they and the readers rank the channels.
        alone: convolutions of every channel by itself.
        readers: convolutions whose first inputs they are.
        added: further convolutions whose outputs are added to them.
        count: of channels to keep.
    """
    made = torch.stack([state[f"{name}.weight"].flatten(1).norm(dim=1) for name in makers]).sum(0)
    channels = len(made)
    inputs = [state[f"{name}.weight"][:, :channels].transpose(0, 1) for name in readers]
    read = torch.stack([weight.flatten(1).norm(dim=1) for weight in inputs]).sum(0)
    best = (made * read).topk(count).indices.sort().values
    for name in (*makers, *alone, *added):
        for part in ("weight", "bias"):
            state[f"{name}.{part}"] = state[f"{name}.{part}"][best]
    for name in readers:
        weight = state[f"{name}.weight"]
        state[f"{name}.weight"] = torch.cat([weight[:, best], weight[:, channels:]], 1)
