"""Average the weights of several trained runs into one network."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from ..errors import ExportError


def average(files: Sequence[Path], out: Path) -> None:
    """Write the mean of the weights of Keras models to `out`, and the last one's history with the others' beside it.

    The runs have to begin at the same weights or at each other's: M. Wortsman et al., "Model soups", ICML 2022.
    Raise `ExportError` if the models are of different networks.
    """
    models = [keras.saving.load_model(file, compile=False) for file in files]
    weights = [model.get_weights() for model in models]
    if len({tuple(part.shape for part in each) for each in weights}) != 1:
        raise ExportError(f"{', '.join(map(str, files))} are different networks: average runs of one network")
    models[-1].set_weights([np.mean(parts, axis=0) for parts in zip(*weights, strict=True)])
    models[-1].save(out)
    histories = [json.loads(file.with_suffix(".history.json").read_text(encoding="utf-8")) for file in files]
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    averaged = [{"sha256": digest, **history} for digest, history in zip(digests, histories, strict=True)]
    state = histories[-1] | {"averaged": averaged}
    out.with_suffix(".history.json").write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")
