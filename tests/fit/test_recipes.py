from pathlib import Path
from time import monotonic, sleep

import av
import cv2
import numpy as np
import pytest
import torch
import yaml

from fit.cli import main
from lightning_modules.loading import load_method

RECIPES = Path(__file__).resolve().parents[2] / "fit" / "recipes"
LAYERS = {"wandb"}
# What makes a recipe's one step small, not different.
SMALL = ["--card=0", "--model.steps=1", "--data.size=[32,32]", "--data.batch_size=1", "--data.workers=0", "--samples.clips=1"]
NARROW = {
    "wgan_gp": ["--model.image_critic.channels=8", "--model.temporal_critic.channels=4"],
    "resnet": ["--model.generator.channels=8", "--model.image_critic.channels=8", "--model.temporal_critic.channels=4"],
}


def picture(number: int, size: tuple[int, int] = (48, 80)) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, list[str]]:
    """Small data of each kind a recipe asks for, and the options that name it."""
    style, vimeo, videos = tmp_path / "style", tmp_path / "vimeo", tmp_path / "videos"
    for folder in (style, videos, vimeo):
        folder.mkdir()
    for number in range(2):
        cv2.imwrite(str(style / f"{number}.png"), picture(number, (90, 100)))
    for split, names in (("train", ("00001/0001", "00001/0002")), ("test", ("00001/0003",))):
        (vimeo / f"sep_{split}list.txt").write_text("\n".join(names))
        for name in names:
            (vimeo / "sequences" / name).mkdir(parents=True)
            for frame in range(1, 8):
                cv2.imwrite(str(vimeo / "sequences" / name / f"im{frame}.png"), picture(frame))
    for number in range(2):
        with av.open(str(videos / f"{number}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.height, stream.width, stream.pix_fmt = 48, 80, "yuv420p"
            for frame in range(12):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(frame), format="rgb24")))
            container.mux(stream.encode())
    return {
        "vimeo90k": [f"--data.root={vimeo}", f"--data.style={style}"],
        "video_folder": [f"--data.root={videos}", f"--data.style={style}"],
    }


@pytest.mark.parametrize("recipe", sorted(path.stem for path in RECIPES.glob("*.yaml") if path.stem not in LAYERS))
def test_a_recipe_trains_saves_reloads_and_repaints(recipe: str, folders: dict[str, list[str]]) -> None:
    if recipe == "distil":
        teacher = main([*SMALL, "--name=teacher"]).folder / "checkpoints" / "last.ckpt"
        folders["distil"] = [f"--model.teacher={teacher}"]
    cli = main(["--config", str(RECIPES / f"{recipe}.yaml"), *folders.get(recipe, []), *SMALL, *NARROW.get(recipe, [])])
    method = load_method(cli.folder / "checkpoints" / "last.ckpt")
    assert method.generator_step == 1
    trained = cli.model.state_dict()
    assert all(
        torch.equal(value, trained[name]) for name, value in method.state_dict().items() if isinstance(value, torch.Tensor)
    )
    frames = torch.linspace(-1, 1, 2 * 3 * 32 * 48).reshape(1, 2, 3, 32, 48)
    painted = method.stylize(frames)
    assert painted.shape == frames.shape
    torch.testing.assert_close(painted, cli.model.cpu().stylize(frames), rtol=1e-4, atol=1e-4)


def test_recipes_say_only_what_differs_from_the_defaults() -> None:
    for path in RECIPES.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# "), f"{path.name} does not say what it is for"
        assert len(text.splitlines()) <= 45
        assert yaml.safe_load(text)


def test_the_wandb_layer_brings_losses_samples_videos_and_configuration() -> None:
    pytest.importorskip("wandb")
    layers = ["--config", str(RECIPES / "default.yaml"), "--config", str(RECIPES / "wandb.yaml")]
    cli = main([*layers, *SMALL, "--trainer.log_every_n_steps=1", "--name=watched"])
    (run,) = Path("runs/wandb").glob("offline-run-*")
    (log,) = run.glob("run-*.wandb")
    wanted = {b"train/cycle", b"samples/sheet", b"samples/video", b"average_decay", cli.folder.name.encode()}
    deadline = monotonic() + 30  # W&B's own process may still be writing
    while (absent := {what for what in wanted if what not in log.read_bytes()}) and monotonic() < deadline:
        sleep(0.2)
    assert not absent
    (sheet,) = (run / "files" / "media" / "images").rglob("*.png")
    (video,) = (run / "files" / "media" / "videos").rglob("*.mp4")
    assert sheet.read_bytes() == (cli.folder / "samples" / "step-000001.png").read_bytes()
    assert video.read_bytes() == (cli.folder / "samples" / "step-000001.mp4").read_bytes()
    assert (cli.folder / "metrics.csv").exists()
