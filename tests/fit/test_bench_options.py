"""The table of options: every row computes what it says, on its own weights, for as many steps."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from fit import bench, bench_options
from fit.bench_options import Variant, go_on, memory, variants
from lightning_modules.discriminators.patchgan import PatchGAN
from lightning_modules.generators.resnet import ResNetGenerator

PLAIN, SAVING = Variant(False, "none", False), Variant(False, "none", True)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small networks; compiling does nothing."""
    full = bench_options.plain_cyclegan

    def reduced(generator: Any, compile: Any) -> Any:
        saving = generator.keywords["checkpointing"]
        return full(partial(ResNetGenerator, 6, 3, checkpointing=saving), partial(PatchGAN, 6, 1), compile=compile)

    monkeypatch.setattr(bench_options, "plain_cyclegan", reduced)
    monkeypatch.setattr(nn.Module, "compile", lambda self, **_: None)
    monkeypatch.setattr(torch, "compile", lambda function: function)


def test_variants_begin_with_eager_float32_and_have_both_kinds_of_memory() -> None:
    assert [str(variant) for variant in variants(bf16=True)] == [
        "eager float32",
        "eager float32, checkpointing",
        "eager bfloat16",
        "eager bfloat16, checkpointing",
        "compiled bfloat16",
        "compiled bfloat16, checkpointing",
    ]
    assert [str(variant) for variant in variants(bf16=False)][::2] == ["eager float32", "compiled float32"]


def test_a_variant_is_built_as_it_says() -> None:
    for variant in variants(bf16=True):
        method = variant.build()
        assert method.compiled == variant.compile
        assert method.to_style.init_args["checkpointing"] == variant.checkpointing
    a, b = PLAIN.build(), SAVING.build()
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


def test_further_steps_are_trained_and_the_last_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    method, (x, y) = PLAIN.build(), torch.rand(2, 1, 3, 16, 16)
    moments = iter([1.0, 2.0, 10.0, 20.0, 100.0])
    monkeypatch.setattr(bench_options, "now", lambda: next(moments))
    assert go_on(method, PLAIN, x, y, 2) == 8
    assert go_on(method, PLAIN, x, y, 1) == 80
    assert method.generator_step == 3


def test_checkpointing_needs_less_memory() -> None:
    x, y = torch.rand(2, 1, 3, 32, 32)
    plain, saving = (memory(variant.build(), variant, x, y) for variant in (PLAIN, SAVING))
    assert 0 < saving < 0.9 * plain


@pytest.mark.gpu
def test_checkpointing_needs_less_memory_on_a_gpu() -> None:
    x, y = torch.rand(2, 1, 3, 256, 256, device="cuda")
    plain, saving = (memory(variant.build(), variant, x, y) for variant in (PLAIN, SAVING))
    assert 0 < saving < plain


def test_the_command_prints_a_row_for_each(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_options, "variants", lambda bf16: [PLAIN, SAVING])
    assert bench.main(["options", "--size", "32", "--repeats", "1"]) == 0
    title, _, *rows, unit = capsys.readouterr().out.splitlines()
    assert "32x32" in title
    assert "autograd keeps" in unit or torch.cuda.is_available()
    assert [row[:34].strip() for row in rows] == [str(PLAIN), str(SAVING)]
    plain, saving = (list(map(float, row[34:].split())) for row in rows)
    assert plain[1] == plain[3] == 1
    assert saving[3] < 0.9


def test_ratios_are_to_the_first_row(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = {PLAIN: [2.0, 9.0, 1.0], SAVING: [3.0, 3.0, 3.0]}
    bench_options.report("small", seconds, {PLAIN: 8 * 2**20, SAVING: 2 * 2**20}, torch.device("cpu"))
    _, _, plain, saving, _ = capsys.readouterr().out.splitlines()
    assert plain[34:].split() == ["2.000", "1.00", "8.0", "1.00"]
    assert saving[34:].split() == ["3.000", "1.50", "2.0", "0.25"]
