"""Read the metadata of a .tflite file: its labels, and how its input is normalized.

The format is metadata_schema.fbs of https://github.com/tensorflow/tflite-support. Its tables are read by their numbers,
since TensorFlow does not bring classes for them.
"""

import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from flatbuffers import encode, number_types
from flatbuffers.table import Table
from numpy.typing import NDArray

# Numbers of fields: of ModelMetadata, SubGraphMetadata, TensorMetadata, ProcessUnit and NormalizationOptions.
_SUBGRAPHS, _INPUTS, _PROCESS_UNITS = 3, 2, 4
_OPTIONS_TYPE, _OPTIONS, _MEAN, _DEVIATION = 0, 1, 0, 1
_NORMALIZATION = 1  # of the union ProcessUnitOptions


class Normalization(NamedTuple):
    """Hold the mean and deviation that pixel values 0..255 are normalized with: one each, or one for each channel."""

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]


def labels_in(file: Path) -> tuple[str, ...] | None:
    """Return the labels in the zip archive at the end of the file; None if there are none that can be read."""
    if not zipfile.is_zipfile(file):
        return None
    try:
        with zipfile.ZipFile(file) as archive:
            texts = [name for name in archive.namelist() if name.endswith(".txt")]
            lines = archive.read(texts[0]).decode("utf-8-sig").splitlines() if texts else []
    except (UnicodeDecodeError, zipfile.BadZipFile, zlib.error):
        return None
    return tuple(line.strip() for line in lines if line.strip()) or None


def normalization_in(model: Any) -> Normalization | None:
    """Return how the input is normalized, from TensorFlow's object of a TFLite model; None if it does not say."""
    buffers = {entry.name: model.buffers[entry.buffer].data for entry in model.metadata or []}
    content = buffers.get(b"TFLITE_METADATA")
    if content is None:
        return None
    data = bytes(content)
    metadata = Table(data, encode.Get(number_types.UOffsetTFlags.packer_type, data, 0))
    inputs = (tensor for subgraph in _tables(metadata, _SUBGRAPHS) for tensor in _tables(subgraph, _INPUTS))
    for unit in (unit for tensor in inputs for unit in _tables(tensor, _PROCESS_UNITS)):
        kind, options = _at(unit, _OPTIONS_TYPE), _at(unit, _OPTIONS)
        if kind and options and unit.Get(number_types.Uint8Flags, kind) == _NORMALIZATION:
            found = Table(data, unit.Indirect(options))
            mean, deviation = (_floats(found, field) for field in (_MEAN, _DEVIATION))
            if mean.size and deviation.size:
                return Normalization(mean, deviation)
    return None


def _at(table: Table, field: int) -> int:
    """Return where a field of a table is, 0 if the table lacks it."""
    offset = table.Offset(4 + 2 * field)
    return int(offset + table.Pos) if offset else 0


def _tables(table: Table, field: int) -> list[Table]:
    """Return the tables in a field that is a vector of them."""
    if not _at(table, field):
        return []
    offset = table.Offset(4 + 2 * field)
    first = table.Vector(offset)
    return [Table(table.Bytes, table.Indirect(first + 4 * number)) for number in range(table.VectorLen(offset))]


def _floats(table: Table, field: int) -> NDArray[np.float32]:
    """Return the numbers in a field that is a vector of them."""
    if not _at(table, field):
        return np.zeros(0, np.float32)
    found: NDArray[np.float32] = table.GetVectorAsNumpy(number_types.Float32Flags, table.Offset(4 + 2 * field))
    return found.copy()
