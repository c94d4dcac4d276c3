"""Profile the function: a start by phase, import and bytes read, and the model by operator.

make profile     # writes tests/bench/profile/profile.txt, and as root also lists what a start reads from disk
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

from tests.bench.photos import small_photos
from tests.bench.profile.reads import SHOWN_BYTES, reads
from tests.bench.speed.contenders import BUILD
from tests.bench.speed.instance import compiled
from tests.support.paths import MAIN

OUT = Path(__file__).with_name("profile.txt")
STARTS = 9
ROUNDS = 100
SHOWN_MS = 1.0

# The steps of gunicorn's master in their order, with their CPU time. Each runs in a new process.
_START = """
import sys, time
marks = [("", time.process_time())]
def mark(phase): marks.append((phase, time.process_time()))
import functions_framework._cli, gunicorn.app.base, gunicorn.workers.gthread
mark("functions-framework and gunicorn")
sys.path.insert(0, sys.argv[1])
import flowers, numpy
mark("numpy")
import PIL.Image, PIL.ImageFile, PIL.JpegImagePlugin
mark("Pillow with its JPEG plugin")
import flowers.cloud.objects, flowers.imaging.decode
mark("flowers.imaging")
import flowers.model.session
mark("onnxruntime and flowers.model")
import flowers.classifier, flowers.http.function, flowers.upload
mark("the rest of flowers")
classifier = flowers.classifier.Classifier(flowers.settings.Settings())
mark("the model: read, hash, create a session")
photo = open(sys.argv[2], "rb").read()
classifier.classify(photo)
mark("the first photo")
for _ in range(20):
    classifier.classify(photo)
marks.append(("a later photo", marks[-1][1] + (time.process_time() - marks[-1][1]) / 20))
for (_, before), (phase, after) in zip(marks, marks[1:]):
    print(f"{phase}\\t{(after - before) * 1000}")
"""
_IMPORTS = """
import functions_framework._cli, gunicorn.app.base, gunicorn.workers.gthread, sys
sys.path.insert(0, sys.argv[1])
print("here", file=sys.stderr)
import flowers.classifier, flowers.http.function, flowers.upload
"""
_OPERATORS = """
import os, sys
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.enable_profiling = True
options.profile_file_prefix = sys.argv[2]
options.log_severity_level = 3
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
image = numpy.random.default_rng(0).integers(0, 256, (1, 224, 224, 3)).astype(numpy.uint8)
for _ in range(int(sys.argv[3])):
    session.run(None, {"image": image})
print(session.end_profiling())
"""


def _run(code: str, *arguments: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [sys.executable, *options, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment)


def start_by_phase(function: Path, photo: Path) -> list[str]:
    """Return the least CPU time of each phase in several starts: other load only adds to it."""
    phases: dict[str, list[float]] = defaultdict(list)
    for _ in range(STARTS):
        for line in _run(_START, str(function), str(photo)).stdout.splitlines():
            phase, _, milliseconds = line.partition("\t")
            phases[phase].append(float(milliseconds))
    return [f"{min(found):7.1f}  {phase}" for phase, found in phases.items()]


def start_by_import(function: Path) -> list[str]:
    """Return the slowest modules by their own time, without those that functions-framework imports."""
    own: dict[str, list[float]] = defaultdict(list)
    for _ in range(STARTS):
        lines = _run(_IMPORTS, str(function), options=("-X", "importtime")).stderr.split("here\n")[1].splitlines()
        for time, _, name in (line.removeprefix("import time:").split("|") for line in lines):
            own[name.strip()].append(int(time) / 1000)
    least = {name: min(found) for name, found in own.items()}
    shown = [(milliseconds, name) for name, milliseconds in least.items() if milliseconds >= SHOWN_MS]
    return [
        *(f"{milliseconds:7.1f}  {name}" for milliseconds, name in sorted(shown, reverse=True)),
        f"{sum(least.values()):7.1f}  all {len(least)} modules",
    ]


def model_by_operator(model: Path) -> list[str]:
    """Return the median microseconds of a run by operator, from onnxruntime's profiler."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(_run(_OPERATORS, str(model), f"{folder}/profile", str(ROUNDS)).stdout.split()[-1])
        events = json.loads(file.read_text())
    nodes: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in events:
        if event["cat"] == "Node" and event["name"].endswith("_kernel_time"):
            nodes[event["args"]["op_name"], event["name"]].append(event["dur"])
    microseconds: Counter[str] = Counter()
    numbers: Counter[str] = Counter()
    for (operator, _), durations in nodes.items():
        microseconds[operator] += round(statistics.median(durations))
        numbers[operator] += 1
    rows = [f"{time:7}  {operator} ({numbers[operator]})" for operator, time in microseconds.most_common()]
    return [*rows, f"{microseconds.total():7}  all"]


def profile() -> str:
    """Return the profile as text."""
    main, (photo,) = compiled(MAIN, BUILD / ".deployed" / MAIN.stem, Path(sys.executable)), small_photos(1)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "photo.jpg"
        file.write_bytes(photo)
        phases = start_by_phase(main.parent, file)
    model = main.parent / "flowers" / "model" / "flowers.onnx"
    sections = {
        "A start and two photos of 667 px, milliseconds of CPU": phases,
        f"Imports, own milliseconds, from {SHOWN_MS:g}": start_by_import(main.parent),
        "The model by operator, microseconds a run": model_by_operator(model),
        f"A start from an empty page cache, MB read by file, from {SHOWN_BYTES / 1e6:g}": reads(photo),
    }
    return "\n".join(f"{title}\n\n{chr(10).join(lines)}\n" for title, lines in sections.items())


if __name__ == "__main__":
    text = profile()
    OUT.write_text(text, encoding="utf-8")
    print(text, end="")
