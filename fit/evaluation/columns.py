"""The columns of the table of a card: what each metric is called, which direction is good, and what it says."""

from fit.evaluation.card import Column
from fit.evaluation.tools import Tools


def columns(tools: Tools, cycle: bool) -> list[Column]:
    """Those that have a meaning, in the order of the table.

    Args:
        tools: of the metrics.
        cycle: whether any painter can go back.
    """
    features, net = tools.extractor.label, tools.lpips.label if tools.lpips else ""
    every = [*style(features), *flicker(tools.gap, net), *content(net)]
    left_out = set() if cycle else {"cycle_psnr", "cycle_ssim"}
    left_out |= set() if tools.lpips else {"temporal_lpips", "lpips"}
    left_out |= set() if tools.exact else {"added_flicker"}
    left_out |= set() if tools.gap > 1 else {"long_flicker_ratio", "long_warping_error"}
    left_out |= set() if tools.inception else {"fid", "kid"}
    left_out |= set() if tools.art and tools.published_lpips else {"art_fid"}
    return [column for column in every if column.key not in left_out]


def style(features: str) -> list[Column]:
    """Is it in the style?"""
    return [
        Column("style", "style distance", "lower", f"Gram distance to the style in {features}; 0 is the style itself"),
        Column("kernel", "MMD", "lower", f"squared maximum mean discrepancy to the style, cubic kernel, in {features}", 4),
        Column("fid", "FID", "lower", "Frechet distance to the style (Heusel et al. 2017); high with few pictures", 1),
        Column("kid", "KID", "lower", "kernel distance to the style in the same features (Binkowski et al. 2018)", 4),
        Column(
            "art_fid",
            "ArtFID",
            "lower",
            "(1 + LPIPS to the input) (1 + FID in art-trained features) (Wright and Ommer 2022)",
            2,
        ),
    ]


def flicker(gap: int, net: str) -> list[Column]:
    """Does it flicker more than the camera did?"""
    ratio = "E_warp / Var of the output over that of"
    about = "mean squared difference along the flow where visible (Lai et al. 2018), values in [0, 1]; grey output has little"
    change = f"how far the perceptual change from frame to frame is from the input's, times 100 (TecoGAN), {net}"
    return [
        Column(
            "added_flicker", "A", "lower", f"added flicker: {ratio} the style's pictures under the same camera; 1 adds none", 2
        ),
        Column("flicker_ratio", "R", "lower", f"flicker ratio: {ratio} the input; the input has 1", 2),
        Column("long_flicker_ratio", f"R, gap {gap}", "lower", f"the same between frames that are {gap} apart", 2),
        Column("warping_error", "E_warp", "neither", about, 5),
        Column("long_warping_error", f"E_warp, gap {gap}", "neither", f"the same between frames that are {gap} apart", 5),
        Column("temporal_flow", "tOF", "lower", "how far the output's motion is from the input's, in pixels (TecoGAN)", 2),
        Column("temporal_lpips", "tLP", "lower", change, 2),
    ]


def content(net: str) -> list[Column]:
    """Is the content still there?"""
    return [
        Column("ssim", "SSIM", "neither", "structure kept: SSIM to the input; the input has 1, a painting less", 2),
        Column("lpips", "LPIPS", "neither", f"perceptual distance to the input, {net}; the input has 0, a painting more", 2),
        Column(
            "cycle_psnr", "cycle PSNR", "higher", "how well the content can be had back: PSNR of the cycle to the input, dB", 1
        ),
        Column("cycle_ssim", "cycle SSIM", "higher", "the same as SSIM", 2),
    ]
