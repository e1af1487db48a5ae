import inspect
import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import pytest
import yaml

from fit.cli import main
from fit.parser import concrete
from lightning_modules.cyclegan import CycleGAN
from lightning_modules.realtime import Realtime


def printed(args: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    """The configuration a command line stands for."""
    with pytest.raises(SystemExit) as left:
        main([*args, "--print_config"])
    assert not left.value.code
    return yaml.safe_load(capsys.readouterr().out)


def test_a_class_named_anew_has_its_own_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    # Those of CycleGAN's nine-block generator, not of the one it replaces.
    for args in (["--model.generator", "ResNetGenerator"], ["--model", "CycleGAN", "--model.generator=ResNetGenerator"]):
        generator = printed(args, capsys)["model"]["init_args"]["generator"]
        assert generator["class_path"] == "lightning_modules.generators.resnet.ResNetGenerator"
        assert generator["init_args"] == {"channels": 64, "blocks": 9, "upsample": "transposed", "checkpointing": False}


def test_a_method_named_anew_has_its_own_defaults_of_the_options_that_both_have(capsys: pytest.CaptureFixture[str]) -> None:
    known = {name: p.default for name, p in inspect.signature(Realtime.__init__).parameters.items()}
    model = printed(["--model", "Realtime"], capsys)["model"]["init_args"]
    assert model["lr"] == known["lr"] != inspect.signature(CycleGAN.__init__).parameters["lr"].default
    assert model["steps"] == known["steps"] != inspect.signature(CycleGAN.__init__).parameters["steps"].default


@pytest.mark.parametrize(
    "said",
    [
        {
            "model": "Realtime",
            "model.generator": "ResNetGenerator",
            "model.generator.upsample": "resize",
            "model.output_weight": 0.5,
        },
        {"model.output_weight": 0.5, "model.generator.init_args.upsample": "resize", "model.generator": "ResNetGenerator"}
        | {"model": "Realtime"},
    ],
    ids=["name first", "name last"],
)
def test_a_file_may_have_a_classs_options_beside_its_name(
    said: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # As sweeps write them. Neither option is one of the default class.
    (tmp_path / "args.json").write_text(json.dumps(said))
    model = printed(["--config", str(tmp_path / "args.json"), "--model.generator.blocks=2"], capsys)["model"]
    assert model["class_path"] == "lightning_modules.realtime.Realtime"
    assert model["init_args"]["output_weight"] == 0.5
    expected = {"channels": 64, "blocks": 2, "upsample": "resize", "checkpointing": False}
    assert model["init_args"]["generator"]["init_args"] == expected


def test_layers_add_up_and_the_last_word_wins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text(
        "model: {steps: 5, lr: 0.1, generator: {class_path: ResNetGenerator, init_args: {blocks: 2}}}"
    )
    (tmp_path / "b.yaml").write_text("model: {lr: 0.2}\ndata: {frames: 4}\nname: b")
    layers = ["--config", str(tmp_path / "a.yaml"), "--config", str(tmp_path / "b.yaml")]
    config = printed([*layers, "--model.generator.channels", "16", "--data.frames=5"], capsys)
    model = config["model"]["init_args"]
    assert (model["steps"], model["lr"], config["data"]["init_args"]["frames"], config["name"]) == (5, 0.2, 5, "b")
    assert model["generator"]["init_args"] == {"channels": 16, "blocks": 2, "upsample": "transposed", "checkpointing": False}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("--model.lrr 1", "there is no option --model.lrr; did you mean --model.lr?"),
        ("--mdoel.lr=1", "there is no option --mdoel.lr; did you mean --model.lr?"),
        ("--trainer.devces 2", "there is no option --trainer.devces; did you mean --trainer.devices?"),
        ("--data.bath_size 3", "there is no option --data.bath_size; did you mean --data.batch_size?"),
        ("--model.generator.dpth 3", "there is no option --model.generator.dpth"),
        ("--trainer.gradient_clip_val 1", "did you mean --model.clip?"),
        ("--trainer.accumulate_grad_batches=2", "did you mean --model.accumulate?"),
        ("--data.seed 3", "did you mean --seed?"),
        ("--model Cycle", "--model: expected the name of a class, got Cycle; did you mean CycleGAN?"),
        ("--model.generator ResNet", "expected the name of a class, got ResNet; did you mean ResNetGenerator?"),
        ("--model.adversarial hing", "--model.adversarial: expected one of minimax, nonsaturating"),
        ("--model.generator.depth x", "--model.generator.depth: expected int, got x"),
        ("--data Vimeo90K --data.root a", "--data.style is required"),
        ("--config nowhere.yaml", "nowhere.yaml"),
        ("--config unknown.yaml", "there is no option --lrr; did you mean --model.lr?"),
        ("--config wrong.yaml", "--model.lr: expected float, got high"),
        ("stray", "unrecognized arguments: stray"),
    ],
)
def test_a_mistake_is_one_line_with_the_way_out(args: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("unknown.yaml").write_text("model: {class_path: CycleGAN, init_args: {lrr: 3}}")
    Path("wrong.yaml").write_text("model: {lr: high}")
    with pytest.raises(SystemExit) as left:
        main(args.split())
    (line,) = capsys.readouterr().err.splitlines()
    assert left.value.code == 2
    assert line.startswith("error: ")
    assert said in line


def test_help_reads_well(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    assert not left.value.code
    assert len(lines) < 145  # of eight groups
    assert max(map(len, lines)) <= 130
    text = " ".join(" ".join(lines).split())
    for word in ("Without options: CycleGAN", "--model.help", "Vimeo90K", "VideoFolder", "--name", "--samples.every"):
        assert word in text
    assert "lightning.pytorch.callbacks." not in text


def test_only_classes_that_can_be_built_are_offered() -> None:
    class Root(ABC):
        @abstractmethod
        def act(self) -> None: ...

    class Half(Root): ...

    class Whole(Half):
        def act(self) -> None: ...

    assert list(concrete(Root)) == [Whole]
