"""How much of a device's arithmetic a run uses: model FLOPs utilisation (PaLM, arXiv:2204.02311, appendix B)."""

import time

import torch

# Dense bfloat16 products a second, by what the device's name contains, the longer names first; its makers' data sheets.
PEAKS = {
    "B200": 2250e12,
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L40": 181e12,
    "L4": 121e12,
}
SIZE, ROUNDS = 1024, 8


def peak(device: torch.device, bfloat16: bool) -> tuple[float, str]:
    """Operations a second of one device at its best, and whose word that is: a data sheet's, or what a product of two
    square matrices reaches here and now."""
    if device.type == "cuda" and bfloat16:
        name = torch.cuda.get_device_name(device)
        for part, flops in PEAKS.items():
            if part in name:
                return flops, f"{part}'s data sheet"
    dtype = torch.bfloat16 if bfloat16 else torch.float32
    matrix = torch.ones(SIZE, SIZE, device=device, dtype=dtype)
    seconds = min(_seconds(matrix) for _ in range(ROUNDS))
    return 2 * SIZE**3 / seconds, f"the best of {ROUNDS} products of two {SIZE} x {SIZE} matrices in {dtype}"


def _seconds(matrix: torch.Tensor) -> float:
    start = time.perf_counter()
    product = matrix @ matrix
    # Reading a number waits until the device is done.
    product[0, 0].item()
    return time.perf_counter() - start
