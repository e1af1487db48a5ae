"""The weights training starts from."""

from torch import nn


def normal_init(network: nn.Module, std: float = 0.02) -> None:
    """Convolutions from N(0, std), norm gains from N(1, std), biases 0, as in DCGAN (Radford et al. 2016) and CycleGAN."""
    for module in network.modules():
        weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
        if weight is not None:
            nn.init.normal_(weight, 1.0 if weight.dim() == 1 else 0.0, std)
        if bias is not None:
            nn.init.zeros_(bias)
