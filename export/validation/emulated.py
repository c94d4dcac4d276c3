"""Run a served model on a processor without AVX-512 and VNNI: an Intel Haswell, emulated by qemu.

There ONNX Runtime multiplies U8 × S8 with `vpmaddubsw`, which saturates sums of two products at 16 bits, and with
`vpdpbusd` where there is VNNI, which does not. The module starts itself again under qemu for the former.
"""

import ctypes
import mmap
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ExportError

EMULATOR = "qemu-x86_64"
# Less what qemu has no code for: it would warn of each in every thread. None of them computes anything.
PROCESSOR = "Haswell-noTSX,-pcid,-x2apic,-tsc-deadline,-invpcid"

# void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4]) in the System V calling convention
_CPUID = bytes.fromhex(
    "53"  # push rbx
    "4989d0 89f8 89f1 0fa2"  # mov r8, rdx; mov eax, edi; mov ecx, esi; cpuid
    "418900 41895804 41894808 4189500c"  # mov [r8], eax; [r8+4], ebx; [r8+8], ecx; [r8+12], edx
    "5bc3"  # pop rbx; ret
)


class EmulatorMissingError(ExportError):
    """Report that qemu's user-mode emulator is not installed."""


class EmulationError(ExportError):
    """Report that the emulated process failed, or that its processor is not the requested one."""


def logits_on_haswell(model: Path, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the logits, float32 [N, C], of `images`, uint8 [N, 224, 224, 3], on an emulated Haswell.

    `model` is an ONNX file with the input `image` and the output `logits`; int8, for qemu computes floats in software
    (40 s per image). Raise `EmulatorMissingError` without qemu and `EmulationError` if the emulation fails.
    """
    from tqdm import tqdm  # not above: the emulated process shall load no more than it needs

    emulator = shutil.which(EMULATOR)
    if emulator is None:
        raise EmulatorMissingError(f"{EMULATOR} is not installed: apt-get install qemu-user")
    with tempfile.TemporaryDirectory() as folder:
        pixels, logits = Path(folder) / "images.npy", Path(folder) / "logits.npy"
        np.save(pixels, images)
        command = [emulator, "-cpu", PROCESSOR, sys.executable, "-m", "export.validation.emulated"]
        with subprocess.Popen(
            [*command, str(model.resolve()), str(pixels), str(logits)],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None  # noqa: S101 - tells mypy of the pipe
            for _ in tqdm(process.stdout, "emulated Haswell", len(images), unit="photo"):
                pass  # a line is an image done
        if process.returncode != 0:
            raise EmulationError(f"{EMULATOR} ended with {process.returncode}; its message is above")
        computed: NDArray[np.float32] = np.load(logits)
    return computed


def _cpuid(leaf: int, subleaf: int) -> tuple[int, int, int, int]:
    """Return the registers eax, ebx, ecx and edx, by which ONNX Runtime chooses kernels (NumPy leaves AVX-VNNI out)."""
    registers = (ctypes.c_uint32 * 4)()
    with mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as code:
        code.write(_CPUID)
        entry = ctypes.c_char.from_buffer(code)
        ctypes.CFUNCTYPE(None, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_void_p)(ctypes.addressof(entry))(
            leaf, subleaf, ctypes.addressof(registers)
        )
        del entry  # the mapping cannot be closed while something points into it
    eax, ebx, ecx, edx = registers
    return eax, ebx, ecx, edx


def _require_haswell() -> None:
    """Raise `EmulationError` unless the processor has AVX2 and FMA and neither AVX-512 nor VNNI."""
    _, ebx, ecx, _ = _cpuid(7, 0)
    present = {
        "FMA": _cpuid(1, 0)[2] >> 12 & 1,
        "AVX2": ebx >> 5 & 1,
        "AVX-512": ebx >> 16 & 1,
        "AVX-512 VNNI": ecx >> 11 & 1,
        "AVX-VNNI": _cpuid(7, 1)[0] >> 4 & 1,
    }
    found = [name for name, bit in present.items() if bit]
    if found != ["FMA", "AVX2"]:  # qemu before 7.2 has no AVX2
        raise EmulationError(f"this is no Haswell, which has FMA and AVX2 only; found: {', '.join(found) or 'neither'}")


def _write_logits(model: str, images: str, logits: str) -> None:
    """Run in the emulated process: read and write NumPy's files, and print a line for each image done."""
    import onnxruntime  # not above: the caller needs none of it

    _require_haswell()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    rows = []
    for image in np.load(images):
        rows.append(session.run(["logits"], {"image": image[np.newaxis]})[0])
        print(len(rows), flush=True)
    np.save(logits, np.concatenate(rows))


if __name__ == "__main__":
    _write_logits(*sys.argv[1:])
