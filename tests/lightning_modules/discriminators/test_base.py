"""What holds for every critic: its scores are the last of its activations, and flow reaches those who ask."""

import pytest
import torch
from torch import Tensor

from lightning_modules.discriminators.base import Discriminator, TemporalDiscriminator


class Frames(Discriminator):
    norm = "none"

    def features(self, frames: Tensor) -> list[Tensor]:
        return [2 * frames, frames.mean(1, keepdim=True)]


class Clips(TemporalDiscriminator):
    norm = "none"
    needs_flow = True

    def features(self, clips: Tensor, flow: Tensor | None = None) -> list[Tensor]:
        score = clips.mean(2).unsqueeze(1)
        return [clips, score if flow is None else score + flow.sum()]


def test_scores_are_the_last_activations() -> None:
    frames, clips = torch.rand(2, 3, 4, 5), torch.rand(2, 3, 3, 4, 5)
    assert torch.equal(Frames()(frames), frames.mean(1, keepdim=True))
    assert torch.equal(Clips()(clips), clips.mean(2).unsqueeze(1))


def test_flow_is_handed_on() -> None:
    clips = torch.rand(1, 3, 3, 4, 5)
    torch.testing.assert_close(Clips()(clips, torch.ones(1, 2, 2, 4, 5)), Clips()(clips) + 80)


@pytest.mark.parametrize("kind", [Discriminator, TemporalDiscriminator])
def test_must_say_how_to_judge(kind: type[Discriminator]) -> None:
    with pytest.raises(TypeError, match=r"abstract method '?features"):
        kind()


def test_a_critic_asks_for_nothing_unless_it_says_so() -> None:
    assert (Frames().min_size, Frames().min_frames, Frames().needs_flow) == (1, 1, False)
