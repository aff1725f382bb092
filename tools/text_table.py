"""Make the table of text vectors that the package carries, from the installed MiniLM.

    python tools/text_table.py           (needs the extra "text"; writes src/tronie/nn/text/prompts.npz)

Run it after every change of the prompts in src/tronie/nn/text/prompts.py; a test says so where it was forgotten.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from tronie.core.labels import LabelSet
from tronie.nn.text.prompts import MUSCLES, prompts_of
from tronie.nn.text.shipped import FILE
from tronie.nn.text.table import make_text_encoder

STANDARD = ("paper", "words", "muscles")


def main() -> None:
    """Encode every prompt once and write the table."""
    torch.set_num_threads(1)
    labels = LabelSet(tuple(MUSCLES))
    texts = [text for name in STANDARD for of_label in prompts_of(labels, name) for text in of_label]
    vectors = make_text_encoder("minilm")(texts).numpy()
    path = Path(__file__).resolve().parents[1] / "src" / "tronie" / "nn" / "text" / FILE
    np.savez_compressed(path, texts=np.array(texts), vectors=vectors.astype(np.float32))
    print(f"{len(texts)} prompts, {vectors.shape[1]} numbers each, {path.stat().st_size / 1000:.0f} kB: {path}")


if __name__ == "__main__":
    main()
