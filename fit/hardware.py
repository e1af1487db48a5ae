"""What the machine is, and what it computes fast."""

import torch


def place(device: torch.device) -> str:
    """What computes, in words."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' if threads > 1 else ''}"


def native_bf16(device: str) -> bool:
    """Whether a kind of device ("cpu", "cuda", ...) computes in bfloat16 itself; emulated, it is slower than float32."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Older versions of torch cannot tell; float32 is the safe answer.
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return device == "cpu" and any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def allow_tf32(on: bool) -> None:
    """Whether GPUs may round the factors of float32 products to 10 bits of fraction (TensorFloat-32). CPUs stay exact."""
    if torch.cuda.is_available():
        torch.set_float32_matmul_precision("high" if on else "highest")
        torch.backends.cudnn.allow_tf32 = on


def usable(device: str | None) -> str:
    """The device to use: the one named, or a GPU where there is one.

    Raises:
        ValueError: torch cannot use it here.
    """
    name = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"--device {name} cannot be used: {str(error).splitlines()[0]}") from error
    return name
