"""Rebuild the network of the team that this project began with, train it briefly and save it in every form.

    python -m tests.support.original_team FOLDER [--data ../shared/flowers102] [--epochs 3]

Four blocks of convolution and pooling, two dense layers of 512, dropout, a softmax over 18 of the 102 classes;
224 × 224, pixel values 0..255 fed raw. The number of filters is not known: those here double from 16. MLflow's forms
are saved where MLflow is installed (PyPI `mlflow-skinny`).
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import tf_keras

from export.validation.model_card import ORIGINAL_TEAM_CLASSES

SIZE = 224


def build(library: Any, classes: int, size: int = SIZE, filters: int = 16, width: int = 512) -> Any:
    """Return the untrained network in `library`: `keras` (3) or `tf_keras` (Keras 2)."""
    layers = library.layers
    network = library.Sequential([layers.InputLayer((size, size, 3))])
    for block in range(4):
        network.add(layers.Conv2D(filters * 2**block, 3, activation="relu", padding="same"))
        network.add(layers.MaxPooling2D())
    network.add(layers.Flatten())
    for _ in range(2):
        network.add(layers.Dense(width, activation="relu"))
    network.add(layers.Dropout(0.5))
    network.add(layers.Dense(classes, activation="softmax"))
    return network


def class_folders(data: Path, folder: Path) -> Path:
    """Make a folder of links to the photographs of the 18 classes, named by their ids, and `labels.json` beside it."""
    names = json.loads((data / "classes.json").read_text(encoding="utf-8"))
    for part in ("train", "valid"):
        (folder / "photos" / part).mkdir(parents=True, exist_ok=True)
        for number in ORIGINAL_TEAM_CLASSES:
            link = folder / "photos" / part / str(number)
            if not link.exists():
                link.symlink_to((data / part / f"{number:03}").resolve())
    labels = {str(number): names[f"{number:03}"] for number in ORIGINAL_TEAM_CLASSES}
    (folder / "labels.json").write_text(json.dumps(labels, ensure_ascii=False, indent=1), encoding="utf-8")
    return folder / "photos"


def train(network: Any, photos: Path, epochs: int, size: int = SIZE) -> None:
    """Fit the network to `photos/train/<class>/`, stretched to squares; class folders in the order of their names."""
    batches = tf_keras.utils.image_dataset_from_directory(
        photos / "train", label_mode="int", image_size=(size, size), batch_size=32, seed=1, follow_links=True
    )
    # Raw pixels: a small rate, or the ReLUs die.
    network.compile(tf_keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy", ["accuracy"])
    network.fit(batches, epochs=epochs, verbose=2)


def save_all(network: Any, folder: Path) -> dict[str, Path]:
    """Save a Keras 2 network, and a Keras 3 network of the same weights, in each form. Return the files by kind."""
    files = {
        "h5": folder / "team.h5",
        "keras2": folder / "team-keras2.keras",
        "saved_model": folder / "team-saved-model",
        "keras": folder / "team.keras",
        "exported": folder / "team-exported",
    }
    for kind in ("h5", "keras2", "saved_model"):
        network.save(files[kind])
    size, first, dense = network.input_shape[1], network.layers[0].filters, network.layers[-4].units
    third = build(keras, network.output_shape[-1], size, first, dense)
    third.set_weights(network.get_weights())
    third.save(files["keras"])
    third.export(files["exported"], verbose=False)
    return files | _save_by_mlflow(third, folder)


def _save_by_mlflow(network: Any, folder: Path) -> dict[str, Path]:
    try:
        import mlflow.keras  # type: ignore[import-not-found,unused-ignore]
        import mlflow.tensorflow  # type: ignore[import-not-found,unused-ignore]
    except ModuleNotFoundError:
        print("without MLflow: its forms are left out")
        return {}
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    files = {"mlflow_tensorflow": folder / "team-mlflow-tensorflow", "mlflow_keras": folder / "team-mlflow-keras"}
    mlflow.tensorflow.save_model(network, str(files["mlflow_tensorflow"]))
    mlflow.keras.save_model(network, str(files["mlflow_keras"]))  # it takes no Path
    mlflow.set_tracking_uri((folder / "mlruns").as_uri())
    with mlflow.start_run():
        mlflow.tensorflow.log_model(network, name="model", registered_model_name="team")
    return files


def main() -> None:
    """Train and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/flowers102"))
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    photos = class_folders(arguments.data, folder)
    network = build(tf_keras, len(ORIGINAL_TEAM_CLASSES))
    train(network, photos, arguments.epochs)
    for kind, file in save_all(network, folder).items():
        print(kind, file)


if __name__ == "__main__":
    main()
