"""This code as a source package, which Dataflow's workers install, so that no container has to be built."""

import io
import tarfile
from pathlib import Path

from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions, WorkerOptions

_FUNCTION = Path(__file__).parents[1]
_NAME = "flowers-backfill-1.0"
# What Beam's own container lacks, or has in another release; each is pinned in requirements.txt.
_NEEDED = ("google-cloud-storage", "onnxruntime", "pillow", "pillow-heif", "tqdm")
_SETUP = """\
from setuptools import find_packages, setup

setup(
    name="flowers-backfill",
    version="1.0",
    packages=find_packages(),
    package_data={{"": ["*.json", "*.onnx", "page/*"]}},
    install_requires={requirements!r},
)
"""


def add_package(options: PipelineOptions, folder: Path) -> None:
    """Makes the package in `folder` and names it in the options, unless these bring the code otherwise."""
    setup = options.view_as(SetupOptions)
    image = options.view_as(WorkerOptions).sdk_container_image
    if not (image or setup.setup_file or setup.extra_packages):
        setup.extra_packages = [str(make_package(folder))]


def make_package(folder: Path) -> Path:
    """Writes flowers/, with its model, and backfill/ as `folder`/flowers-backfill-1.0.tar.gz."""
    lines = (_FUNCTION / "backfill" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    requirements = [line.split()[0] for line in lines if line.partition("==")[0] in _NEEDED]
    package = folder / f"{_NAME}.tar.gz"
    with tarfile.open(package, "w:gz") as archive:
        for name in ("flowers", "backfill"):
            archive.add(_FUNCTION / name, f"{_NAME}/{name}", filter=_without_caches)
        text = _SETUP.format(requirements=requirements).encode()
        entry = tarfile.TarInfo(f"{_NAME}/setup.py")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    return package


def _without_caches(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in entry.name else entry
