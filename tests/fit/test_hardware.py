from collections.abc import Iterator

import pytest
import torch

from fit.hardware import allow_tf32, native_bf16, place, usable


@pytest.mark.parametrize(
    ("capabilities", "native"), [({"avx512_bf16": True}, True), ({"avx512_bf16": False, "avx2": True}, False), ({}, False)]
)
def test_a_cpu_is_asked(monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], native: bool) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert native_bf16("cpu") is native


def test_a_torch_that_cannot_tell_gets_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not native_bf16("cpu")


def test_other_devices_get_float32() -> None:
    assert not native_bf16("mps")


def test_a_place_has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.index}")
    for threads, words in ((1, "CPU, 1 thread"), (2, "CPU, 2 threads")):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        assert place(torch.device("cpu")) == words
    assert place(torch.device("cuda:1")) == "GPU 1"


@pytest.fixture
def float32_settings() -> Iterator[None]:
    """Puts back what holds for the whole process."""
    products, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    yield
    torch.set_float32_matmul_precision(products)
    torch.backends.cudnn.allow_tf32 = convolutions


@pytest.mark.usefixtures("float32_settings")
def test_tf32_is_for_gpus_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for gpu, on, expected in (
        (True, False, ("highest", False)),
        (False, True, ("highest", False)),
        (True, True, ("high", True)),
        (False, False, ("high", True)),
    ):
        monkeypatch.setattr(torch.cuda, "is_available", lambda gpu=gpu: gpu)
        allow_tf32(on)
        assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32) == expected


@pytest.mark.gpu
@pytest.mark.usefixtures("float32_settings")
def test_tf32_rounds_the_factors() -> None:
    a = torch.full((256, 256), 1 + 2.0**-20, device="cuda")
    products = []
    for on in (False, True):
        allow_tf32(on)
        products.append((a @ a)[0, 0].item())
    assert products[0] == pytest.approx(256 * (1 + 2.0**-20) ** 2, rel=1e-6)
    assert products[1] == 256


def test_a_device_that_cannot_be_used_is_refused() -> None:
    assert usable("cpu") == "cpu"
    assert usable(None) in ("cpu", "cuda")
    for name in ("cuda:99", "abacus"):
        with pytest.raises(ValueError, match=f"--device {name} cannot be used"):
            usable(name)
