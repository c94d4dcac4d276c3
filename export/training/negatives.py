"""Collect pictures that show no flowers, to measure how many of them a rejection threshold refuses.

They come out of Debian packages that anyone can download (some 250 MB; nothing is installed). Each file was chosen by
looking at it: none shows a flower of any kind, and near-duplicates are left out.
"""

import shutil
import subprocess
import tempfile
from itertools import groupby
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from PIL import Image
from tqdm import tqdm

from ..errors import ExportError

FEWEST_OF_A_KIND = 40
SHORTEST_SIDE = 100  # pixels; what is smaller is an icon

Kind = Literal["photographs", "screenshots", "documents", "textures"]


class NotFlowersError(ExportError):
    """Report a missing tool or package, or a package whose files have changed."""


class Source(NamedTuple):
    """Describe pictures of one kind in one folder of a package: at most `most` of those whose names match `names`.

    `names` and `leave_out` are glob patterns, parted by blanks.
    """

    package: str
    kind: Kind
    folder: str
    names: str
    most: int = 100
    leave_out: str = ""


# Those of a package stand together. Left out as flowers: lomiri's "seeding" (dandelions), OpenCV's "plant", its aloes,
# its butterfly on a flower and its shop signs with hanging baskets; GNOME's "color-*" are photographs, not screenshots.
SOURCES = (
    Source("bzflag-data", "textures", "usr/share/games/bzflag",
           "boxwall.png caution.png mesh.png purple_basewall.png pyrwall.png std_ground.png telelink.png wall.png "
           "water.png zone_ground.png"),
    Source("foobillardplus-data", "textures", "usr/share/games/foobillardplus/data",
           "carpet.png ceiling.png corr?.png door.png floor.png fp.png"),
    Source("gnome-user-docs", "screenshots", "usr/share/help/C/gnome-help/figures", "*.png", leave_out="color-*"),
    Source("kicad-doc-en", "screenshots", "usr/share/doc/kicad/help/en/images", "*.png", most=40),
    Source("lomiri-wallpapers-16.04", "photographs", "usr/share/backgrounds", "*.jpg",
           leave_out="seeding_* Dragonfly_* umang_* analogpattern_*"),
    Source("lugaru-data", "textures", "usr/share/games/lugaru/Textures",
           "Boulder.jpg BoulderDesert.jpg DesertBox.jpg Fire.jpg Fur.jpg FurBrown.jpg FurWolfDark.jpg GrassBox.jpg "
           "GrassDirt*.jpg HeightMap.png MossRock.jpg Rock*.jpg Sand*.jpg Snow.jpg SnowBox.jpg"),
    Source("mate-user-guide", "screenshots", "usr/share/help/C/mate-user-guide/figures", "*.png"),
    Source("octave-doc", "documents", "usr/share/doc/octave/octave.html", "*.png", most=20,
           leave_out="splinefit[1346].png"),
    Source("opencv-doc", "photographs", "usr/share/doc/opencv-doc/examples/data",
           "aero1.jpg baboon.jpg basketball1.png board.jpg box_in_scene.png chicky_512.png ela_original.jpg fruits.jpg "
           "graf1.png home.jpg left01.jpg leuvenA.jpg licenseplate_motion.jpg messi5.jpg rubberwhale1.png smarties.png "
           "starry_night.jpg stuff.jpg"),
    Source("opencv-doc", "photographs", "usr/share/doc/opencv-doc/examples/text", "scenetext*.jpg",
           leave_out="scenetext03.jpg scenetext_segmented_word0[12].jpg"),
    Source("opencv-doc", "photographs", "usr/share/doc/opencv-doc/opencv4/html",
           "227943776_1.jpg 230501201_1.jpg Histogram_Calculation_Original_Image.jpg aero_det.jpg ambush_5_left.jpg "
           "apple.jpg astra_color.jpg building.jpg cat_det.jpg choriginal.jpg coins.jpg demo.jpg detect_test?.jpg "
           "diamondmarkers.png feature_building.jpg fusion.png fusion_mertens.jpg gboriginal.png handSrc.jpg "
           "input.jpg motion_original.jpg orange.jpg period_input.jpg person_multi_det.jpg "
           "pexels_double_decker_bus.jpg realsense.jpg registration.png retina_TreeHdr_small.jpg space_shuttle.jpg "
           "squirrel_cls.jpg studentsSample_input.jpg"),
    Source("opencv-doc", "screenshots", "usr/share/doc/opencv-doc/opencv4/html",
           "*_start_new_project.png *_import_module.png *-user-lib*.png eclipse_*.png android_*.png sbt_*.png "
           "xcode_*.png attributes-details.png ios_hello_output.png", most=20),
    Source("opencv-doc", "documents", "usr/share/doc/opencv-doc/examples/data",
           "digits.png imageText?.png notes.png sudoku.png text_defocus.jpg text_motion.jpg"),
    Source("opencv-doc", "documents", "usr/share/doc/opencv-doc/opencv4/html",
           "essential_matrix.jpg hand-eye_figure.png integral.png newspaper.jpg original.jpg "
           "pinhole_camera_model.png polar_remap_doc.png robot-world_hand-eye_figure.png sift_dog.jpg "
           "stereo_depth.jpg"),
    Source("opencv-doc", "textures", "usr/share/doc/opencv-doc/opencv4/html", "gst_input.jpg random_pattern.jpg"),
    Source("python-pandas-doc", "documents", "usr/share/doc/python-pandas-doc/html/_images", "*.png", most=45,
           leave_out="*-kde-* *-density-* pandas-Series-* print_df_old.png"),
    Source("python3-skimage", "photographs", "usr/lib/python3/dist-packages/skimage/data",
           "astronaut.png camera.png chelsea.png coffee.png coins.png hubble_deep_field.jpg ihc.png moon.png "
           "motorcycle_left.png retina.jpg rocket.jpg"),
    Source("python3-skimage", "documents", "usr/lib/python3/dist-packages/skimage/data",
           "bw_text.png page.png text.png"),
    Source("python3-skimage", "textures", "usr/lib/python3/dist-packages/skimage/data",
           "brick.png grass.png gravel.png"),
    Source("tuxmath-data", "photographs", "usr/share/tuxmath/images/backgrounds", "*.jpg"),
)  # fmt: skip


def collect(folder: Path) -> list[Path]:
    """Fill `folder` with `photographs/`, `screenshots/`, `documents/` and `textures/`; return the pictures, sorted.

    The packages stay in `folder/packages`, so that they are downloaded once. The choice is the same every time. Raise
    `NotFlowersError`.
    """
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise NotFlowersError(f"{tool} is missing: the pictures come from Debian packages; use Debian or Ubuntu")
    folder = folder.resolve()
    for kind in get_args(Kind):
        shutil.rmtree(folder / kind, ignore_errors=True)
        (folder / kind).mkdir(parents=True)
    by_package = [(package, list(sources)) for package, sources in groupby(SOURCES, lambda source: source.package)]
    for package, sources in tqdm(by_package, "no flowers", unit="package"):
        archive = _download(package, folder / "packages")
        with tempfile.TemporaryDirectory() as unpacked:
            _run(["dpkg-deb", "-x", str(archive), unpacked], folder)
            for source in sources:
                for picture in _choose(source, Path(unpacked)):
                    shutil.copyfile(picture, folder / source.kind / f"{package}-{picture.name}")
    for kind in get_args(Kind):
        count = len(list((folder / kind).iterdir()))
        if count < FEWEST_OF_A_KIND:
            raise NotFlowersError(f"only {count} {kind} were found: this release's packages hold other files")
    return sorted(picture for kind in get_args(Kind) for picture in (folder / kind).iterdir())


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotFlowersError(f"{' '.join(command)} failed; has `apt-get update` run?\n{done.stderr}")


def _download(package: str, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    if not any(folder.glob(f"{package}_*.deb")):
        _run(["apt-get", "download", package], folder)
    return next(folder.glob(f"{package}_*.deb"))


def _choose(source: Source, unpacked: Path) -> list[Path]:
    """Return the pictures of `source`, evenly spread over the sorted names."""
    folder = unpacked / source.folder
    left_out = {path for pattern in source.leave_out.split() for path in folder.glob(pattern)}
    found = {path for pattern in source.names.split() for path in folder.glob(pattern)} - left_out
    pictures = [path for path in sorted(found) if _is_large(path)]
    if not pictures:
        raise NotFlowersError(f"{source.package} has no {source.kind} in {source.folder}")
    count = min(source.most, len(pictures))
    return [pictures[index * len(pictures) // count] for index in range(count)]


def _is_large(path: Path) -> bool:
    with Image.open(path) as image:
        return min(image.size) >= SHORTEST_SIDE
