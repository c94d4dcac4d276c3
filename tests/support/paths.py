"""Name the places that tests look at."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
MAIN = ROOT / "function" / "main.py"
FLOWERS102 = ROOT.parent / "shared" / "flowers102"
