"""Ground truth of real frames: sign, axes and order of the flow are those of the field."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from lightning_modules.metrics.warping_error import warping_error


def real_pair(shared: Path, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Two frames in [0, 1], the forward flow from the first to the second, and where it is known."""
    if name == "middlebury":
        folder = shared / "flow" / "middlebury" / "RubberWhale"
        files = [folder / "frame10.png", folder / "frame11.png"]
        truth = cv2.readOpticalFlow(str(folder / "flow10.flo"))
        known = np.abs(truth).max(-1) < 1e9
    else:
        folder = shared / "flow" / "kitti"
        files = [folder / "frame1.png", folder / "frame2.png"]
        stored = cv2.imread(str(folder / "flow_gt.png"), cv2.IMREAD_UNCHANGED)[..., ::-1].astype(np.float32)  # u, v, known
        truth, known = (stored[..., :2] - 2**15) / 64, stored[..., 2] > 0
    first, second = (cv2.imread(str(file))[..., ::-1].astype(np.float32) / 255 for file in files)
    return first, second, np.where(known[..., None], truth, 0).astype(np.float32), known


@pytest.mark.shared
@pytest.mark.parametrize("name", ["middlebury", "kitti"])
def test_ground_truth_aligns_real_frames_as_opencv_does(name: str, shared: Path) -> None:
    first, second, truth, known = real_pair(shared, name)
    y, x = np.indices(known.shape, dtype=np.float32)
    inside = (x + truth[..., 0] >= 0) & (x + truth[..., 0] <= known.shape[1] - 1)
    known &= inside & (y + truth[..., 1] >= 0) & (y + truth[..., 1] <= known.shape[0] - 1)
    moved = cv2.remap(second, x + truth[..., 0], y + truth[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    expected = [np.square((picture - first)[known].astype(np.float64)).mean() for picture in (second, moved)]
    # A forward flow is the backward one of the pair reversed in time.
    frames = torch.stack([torch.from_numpy(picture).movedim(-1, 0) for picture in (second, first)])[None] * 2 - 1
    flow = torch.from_numpy(truth).movedim(-1, 0)[None, None]
    visible = torch.from_numpy(known)[None, None, None]
    still, aligned = (warping_error(frames, field, visible).item() for field in (torch.zeros_like(flow), flow))
    assert still == pytest.approx(expected[0], rel=1e-5)
    assert aligned == pytest.approx(expected[1], rel=2e-3)  # OpenCV reads at multiples of 1/32 pixel
    assert aligned < 0.5 * still
    for wrong in (-flow, flow.flip(2), -flow.flip(2)):
        assert warping_error(frames, wrong, visible) > 2 * aligned
    assert warping_error(frames.flip(1), flow, visible) > 2 * aligned  # frames in the wrong order
