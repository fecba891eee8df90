import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
MODEL = ROOT / "model"


def test_the_card_for_people_says_what_the_card_for_programs_says() -> None:
    check = [sys.executable, "scripts/model_card", "--check"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "| one look at each face |" in (MODEL / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_model_files_are_small_enough_for_a_clone() -> None:
    assert sum(path.stat().st_size for path in MODEL.iterdir()) < 12e6
