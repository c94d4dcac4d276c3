"""Read MLflow's files without MLflow: a model's folder, and a registered model in a local file store."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import yaml

from ..errors import ExportError

FLAVOURS = ("tensorflow", "keras")


class MlflowError(ExportError):
    """Report an MLflow folder without a TensorFlow model. The message says what it has."""


def is_mlflow_folder(path: Path) -> bool:
    """Return whether a folder is an MLflow model."""
    return (path / "MLmodel").is_file()


def _read(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise MlflowError(f"cannot read {file}: {error}") from error
    if not isinstance(content, dict):
        raise MlflowError(f"{file} should be a YAML map")
    return content


def weights_of(folder: Path) -> Path:
    """Return the Keras file or SavedModel folder inside an MLflow model. Raise `MlflowError` if there is none."""
    flavours = _read(folder / "MLmodel").get("flavors") or {}
    known = [flavours[name] for name in FLAVOURS if name in flavours]
    if not known:
        raise MlflowError(
            f"{folder} is an MLflow model of the flavours {', '.join(flavours) or 'none'}; needed is "
            f"{' or '.join(FLAVOURS)}: log it with mlflow.tensorflow.log_model or mlflow.keras.log_model"
        )
    for flavour in known:
        data = folder / flavour.get("saved_model_dir", flavour.get("data", "data"))
        for path in (*(data / f"model{ending}" for ending in (".keras", ".h5", "")), data):
            if path.is_file() or (path / "saved_model.pb").is_file():
                return path
    raise MlflowError(f"{folder} names a TensorFlow model, but its files are not there: copy the folder whole")


def registered_model(uri: str, store: Path) -> tuple[Path, str, str]:
    """Return folder, name and version of `models:/NAME/VERSION` (or `NAME@ALIAS`, `NAME/latest`) in a file store.

    The store is MLflow's `mlruns`. Raise `MlflowError` naming what is registered.
    """
    name, _, version = uri.removeprefix("models:/").partition("/")
    name, _, alias = name.partition("@")
    entry = store / "models" / name
    if not (entry / "meta.yaml").is_file():
        names = sorted(path.parent.name for path in (store / "models").glob("*/meta.yaml"))
        raise MlflowError(
            f"{store} has no registered model {name!r} (it has: {', '.join(names) or 'none'}). "
            "Give the folder of the MLflow file store as --mlflow-store."
        )
    if alias and (entry / "aliases" / alias).is_file():
        version = (entry / "aliases" / alias).read_text(encoding="utf-8").strip()
    versions = {path.parent.name.removeprefix("version-") for path in entry.glob("version-*/meta.yaml")}
    if version == "latest":
        version = max(versions, key=int, default="")
    if version not in versions:
        found = ", ".join(sorted(versions, key=int)) or "none"
        raise MlflowError(f"{uri}: give models:/{name}/VERSION with one of the versions in {store}: {found}")
    meta = _read(entry / f"version-{version}" / "meta.yaml")
    return _artifacts(meta, store), name, version


def _artifacts(meta: dict[str, Any], store: Path) -> Path:
    """Return the model's folder. If the address is gone because the store was copied, look in `store` itself."""
    tried = []
    for address in (meta.get("storage_location"), meta.get("source")):
        if not address:
            continue
        if address.startswith("models:/"):  # MLflow 3: a logged model by its id
            found = list(store.glob(f"*/models/{address.removeprefix('models:/')}/artifacts"))
        else:
            parts = Path(unquote(urlparse(address).path)).parts
            inside = [store.joinpath(*parts[-count:]) for count in range(len(parts) - 1, 0, -1)]
            found = [path for path in (Path(*parts), *inside) if is_mlflow_folder(path)]
        if found and is_mlflow_folder(found[0]):
            return found[0]
        tried.append(address)
    raise MlflowError(f"the registered model's files are at {' or '.join(tried)}, and not there: copy the store whole")
