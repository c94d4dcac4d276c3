"""Name the files and folders that tests read."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
MAIN = ROOT / "function" / "main.py"
FLOWERS102 = ROOT.parent / "shared" / "flowers102"
ELSEWHERE = ROOT.parent / "shared" / "flowers-elsewhere"
