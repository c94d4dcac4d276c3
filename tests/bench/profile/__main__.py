"""Where the time goes: a start by phase and by import, a photo by step, and the model by operator.

make profile                                  the function as it is, to tests/bench/profile/profile.txt
make profile FUNCTION=../older/function       another one, to the terminal
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

from tests.bench.speed.photos import small_photos

STARTS = 9
ROUNDS = 100
LEAST_MS = 1.0

# What gunicorn's master does, in the order in which it does it; run in a process of its own, with its processor's time.
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
mark("flowers.imaging.decode")
import flowers.model.session
mark("onnxruntime")
import flowers.classifier, flowers.http.function, flowers.upload
mark("the rest of flowers")
classifier = flowers.classifier.Classifier(flowers.settings.Settings())
mark("the model: read, hashed, made a session")
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
    """The least processor time of each phase, of several starts: what else the machine does adds to the others."""
    phases: dict[str, list[float]] = defaultdict(list)
    for _ in range(STARTS):
        for line in _run(_START, str(function), str(photo)).stdout.splitlines():
            phase, _, milliseconds = line.partition("\t")
            phases[phase].append(float(milliseconds))
    return [f"{min(found):7.1f}  {phase}" for phase, found in phases.items()]


def start_by_import(function: Path) -> list[str]:
    """The modules that take longest themselves, of those that functions-framework does not import anyway."""
    own: dict[str, list[float]] = defaultdict(list)
    for _ in range(STARTS):
        lines = _run(_IMPORTS, str(function), options=("-X", "importtime")).stderr.split("here\n")[1].splitlines()
        for time, _, name in (line.removeprefix("import time:").split("|") for line in lines):
            own[name.strip()].append(int(time) / 1000)
    least = {name: min(found) for name, found in own.items()}
    shown = [(milliseconds, name) for name, milliseconds in least.items() if milliseconds >= LEAST_MS]
    return [
        *(f"{milliseconds:7.1f}  {name}" for milliseconds, name in sorted(shown, reverse=True)),
        f"{sum(least.values()):7.1f}  all {len(least)} modules",
    ]


def model_by_operator(model: Path) -> list[str]:
    """Median microseconds of a run by operator, as onnxruntime's own profiler tells them."""
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


def profile(function: Path) -> str:
    """The profile of the function in a folder, as text."""
    with tempfile.NamedTemporaryFile(suffix=".jpg") as photo:
        photo.write(small_photos()[0])
        photo.flush()
        phases = start_by_phase(function, Path(photo.name))
    sections = {
        "A start and two photos of 500 px, milliseconds of the processor": phases,
        f"Imports, own milliseconds, from {LEAST_MS:g}": start_by_import(function),
        "The model by operator, microseconds a run": model_by_operator(function / "flowers" / "model" / "flowers.onnx"),
    }
    return "\n".join(f"{title}\n\n{chr(10).join(lines)}\n" for title, lines in sections.items())


if __name__ == "__main__":
    print(profile(Path(sys.argv[1]).resolve()), end="")
