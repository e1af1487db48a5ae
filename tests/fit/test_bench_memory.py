"""The count of what autograd keeps."""

import torch

from fit.bench_memory import Kept


def test_counts_what_a_backward_pass_will_need_and_no_more() -> None:
    weight = torch.rand(100, requires_grad=True)
    x = torch.rand(100)
    kept = Kept([weight])
    with kept.counting():
        product = weight * x  # keeps both: 400 bytes beside the weight
        squared = product.square() + product.exp()  # keeps the product and the exponential
        assert kept.bytes == 3 * 400
        squared.sum().backward()
        assert kept.bytes == 0
        (weight * x).sum().backward()
    assert kept.peak == 3 * 400
    assert kept.bytes == 0


def test_counts_shared_storage_once_and_drops_what_is_forgotten() -> None:
    x = torch.rand(10, 10, requires_grad=True)
    kept = Kept()
    with kept.counting():
        y = x.t() * x
        assert kept.bytes == 400
        del y
    assert (kept.bytes, kept.peak) == (0, 400)
