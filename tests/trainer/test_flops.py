import time

import pytest
import torch

from trainer import flops
from trainer.gpt import GPT, GPTConfig


@pytest.mark.parametrize("tied", [True, False])
def test_operations_of_a_step_counted_by_hand(tied: bool) -> None:
    model = GPT(GPTConfig(vocabulary=50, layers=2, width=16, heads=2, kv_heads=1, context=8, hidden=24, tied=tied))
    attention = 16 * 16 + 2 * 16 * 8 + 16 * 16
    # The output layer multiplies whether or not it has weights of its own; looking up does not.
    weights = 2 * (attention + 3 * 16 * 24) + 50 * 16
    assert model.flops_per_token() == 6 * weights + 12 * 2 * 16 * 8


def test_a_devices_peak_is_above_what_another_product_reaches() -> None:
    found, by = flops.peak(torch.device("cpu"), bfloat16=False)
    assert "1024 x 1024" in by
    matrix = torch.ones(256, 256)
    start = time.perf_counter()
    for _ in range(20):
        matrix = matrix @ torch.eye(256)
    reached = 20 * 2 * 256**3 / (time.perf_counter() - start)
    assert found > reached / 4


@pytest.mark.parametrize(
    ("name", "flops_there", "sheet"),
    [
        ("NVIDIA H100 80GB HBM3", 989e12, "H100"),
        ("NVIDIA H100 PCIe", 756e12, "H100 PCIe"),
        ("NVIDIA L40S", 362e12, "L40S"),
        ("NVIDIA L40", 181e12, "L40"),
        ("NVIDIA L4", 121e12, "L4"),
    ],
)
def test_a_gpu_with_a_data_sheet_is_not_measured(
    monkeypatch: pytest.MonkeyPatch, name: str, flops_there: float, sheet: str
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)
    assert flops.peak(torch.device("cuda"), bfloat16=True) == (flops_there, f"{sheet}'s data sheet")
