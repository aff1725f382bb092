"""The contract of a method: one module that says what it looks at, what it answers and what it learns from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tronie.clips.views import View
from tronie.core.errors import ModelError
from tronie.core.labels import LabelSet
from tronie.core.manifest import Manifest
from tronie.metrics.actions import Actions, Looking, changed, look
from tronie.metrics.agreement import VERDICTS


@dataclass(frozen=True, eq=False)
class Output:
    """What a method answers for a batch of clips.

    ``logits`` ``(b, classes)``, ``feature`` ``(b, d)``; ``steps`` ``(b, t, classes)`` where a method answers each
    step; ``neutral`` ``(b, d)`` where it imagines the neutral face; ``affect`` ``(b, 2)``, valence and arousal of the
    expression shown, each in [-1, 1], where it learns them.
    """

    logits: Tensor
    feature: Tensor
    steps: Tensor | None = None
    neutral: Tensor | None = None
    affect: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Batch:
    """Training rows, ``b`` of them.

    ``clips`` has one tensor per view the method asked for, by its kind: pixels ``(b, t, 3, h, w)`` uint8, points
    ``(b, t, p, 2)`` or features ``(b, t, d)`` float32; ``target`` ``(b, classes)`` are probabilities (one-hot, smoothed
    or votes); ``weight`` ``(b,)``; ``row`` ``(b,)`` are positions in the training manifest that :meth:`Method.prepare`
    was given. ``affect`` ``(b, 2)`` are valence and arousal in [-1, 1], NaN where not annotated, None where no source
    has any. A row may have these and no label: its target is all zero then, which only methods meet that
    :attr:`Method.learns_affect`.
    """

    clips: tuple[Tensor, ...]
    target: Tensor
    weight: Tensor
    row: Tensor
    affect: Tensor | None = None


@dataclass(frozen=True)
class Progress:
    """Where the run stands: ``epoch`` of ``epochs`` (from 0), ``step`` of ``steps`` within the epoch."""

    epoch: int
    epochs: int
    step: int = 0
    steps: int = 1


@dataclass(frozen=True, eq=False)
class Answers:
    """A method's answers as arrays: ``logits`` ``(m, classes)`` and ``feature`` ``(m, d)``, float32.

    ``affect`` ``(m, 2)``: valence and arousal, None for a method that does not answer them.
    """

    logits: NDArray[np.float32]
    feature: NDArray[np.float32]
    affect: NDArray[np.float32] | None = None


class Predict(Protocol):
    """Looks at training rows with the weights as they are now, in evaluation mode."""

    def __call__(self, rows: NDArray[np.int64], draw: int | None = None) -> Answers:
        """Row positions ``(m,)`` → answers in their order.

        ``draw`` None: the unvaried view of evaluation. ``draw`` k >= 0: one random look at each row, cut by
        :meth:`Method.draw_view` and seeded by the run's seed, the epoch, the row and k, whatever rows are asked for
        with it; agreement over K looks is taken from ``[predict(rows, k) for k in range(K)]``.
        """


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """All ``n`` training rows as the loop sees them now: read, never write.

    ``target`` ``(n, classes)`` and ``weight`` ``(n,)`` include every decision so far; ``given`` ``(n, classes)`` are
    the targets the run began with.
    """

    target: NDArray[np.float32]
    weight: NDArray[np.float32]
    given: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.weight)


@dataclass(frozen=True, eq=False)
class Decisions:
    """What a method decides about ``m`` training rows after ``epoch``; rows that are not named keep what they have.

    ``row`` ``(m,)`` are positions in the training manifest, each at most once; ``verdict`` ``(m,)`` a word such as
    ``"keep"``, ``"hard"``, ``"doubt"``, ``"drop"``, ``"relabel"``; ``weight`` ``(m,)`` >= 0 multiplies the row's first
    weight from now on (0 leaves it out of the loss, 1 restores it); ``label`` ``(m,)`` is the label to learn from now
    on, -1 the one given; ``reason`` ``(m,)`` says why in a few words, with its figure. The run writes them, by row
    id, to ``samples.csv``.
    """

    row: NDArray[np.int64]
    verdict: NDArray[np.str_]
    weight: NDArray[np.float32]
    label: NDArray[np.int64]
    reason: NDArray[np.str_]
    epoch: int


class Method(nn.Module):
    """Base of all methods; the loop knows nothing else.

    State that lives across steps is a buffer (``register_buffer``), so that checkpoints and resuming just work. A
    buffer whose size depends on the data is registered with length 0 in ``__init__`` and given its size in
    ``prepare``; a checkpoint brings its own size (:func:`load_state`). A buffer as long as the training rows is a
    memory of them: under ``torchrun`` each process writes the rows it meets, and all share them before
    :meth:`refresh`. Tensors made inside a method take their device from its parameters or from the batch.
    """

    Config: ClassVar[type]
    size: int = 112
    """Side in pixels of the crops it looks at. A method whose config has a ``size`` sets it from there."""
    learns_affect: ClassVar[bool] = False
    """Whether it learns valence and arousal, and takes rows that have these and no label."""

    def __init__(self, labels: LabelSet) -> None:
        super().__init__()
        self.labels = labels

    def views(self, train: bool) -> tuple[View, ...]:
        """The clips this method wants of each sample, all of one size; evaluation and export use the first of False."""
        return (View(size=self.size, augment=train),)

    def draw_view(self) -> View:
        """How one random look at a row is cut: like the first training view. Clip methods may vary in time alone."""
        return self.views(True)[0]

    def prepare(self, train: Manifest, faces: Tensor) -> None:
        """Called once before training, and again (before the checkpoint is read) when a run goes on.

        ``train`` holds every training row in the order of ``Batch.row``; ``faces`` ``(n, 3, h, w)`` RGB in 0..255 is
        a sample of the training pictures, of clips their first frames (points ``(n, p, 2)`` or features ``(n, d)``
        where the method's view asks for them). The same arguments must lead to the same state.
        """

    def forward(self, clip: Tensor) -> Output:
        """One clip batch in, ``(b, t, 3, h, w)`` uint8 RGB or of the kind its view names; one answer out."""
        raise TypeError(f"{type(self).__name__} does not define forward")

    def loss(self, batch: Batch, at: Progress) -> dict[str, Tensor]:
        """Named parts, already weighted; the loop adds them.

        Under ``torchrun`` the batch is one process's share, and gradients are averaged over processes by the sum of
        ``batch.weight``: a loss that divides by that sum, as ``nn.losses`` do, then equals that of the whole batch.
        """
        raise TypeError(f"{type(self).__name__} does not define loss")

    def refresh(self, predict: Predict, rows: TrainingRows, at: Progress) -> Decisions | None:
        """Once at the end of every epoch: look again at the training rows and decide what they are worth.

        ``predict`` costs a forward pass over what it is asked for, so it is only called where it is needed. What
        is decided holds from the next epoch on.
        """
        return None

    def epoch_end(self, at: Progress) -> dict[str, float]:
        """Called after :meth:`refresh`; what it returns is logged."""
        return {}

    @classmethod
    def note(cls, settings: Mapping[str, Any]) -> str:
        """A sentence for the model's card on what a model of these ``Config`` values leans on; "" for none."""
        return ""


class LookingMethod(Method):
    """A method that looks at its training rows several times and acts on what the looks agree on (:mod:`.actions`).

    ``seen`` ``(n, 1 + classes)`` and ``verdict`` ``(n,)`` remember the looks; both have length 0 where ``looking`` is
    off. The idea is RDFER's (Liu et al., IEEE T-BIOM 2025, arXiv 2502.16129).
    """

    seen: Tensor
    verdict: Tensor

    def __init__(self, labels: LabelSet, looking: Looking) -> None:
        super().__init__(labels)
        self.looking = looking
        self.register_buffer("seen", torch.zeros(0, 1 + len(labels)))
        self.register_buffer("verdict", torch.zeros(0, dtype=torch.int64))
        self._found: dict[str, float] = {}

    def prepare(self, train: Manifest, faces: Tensor) -> None:
        """Make room to remember looks at every training row."""
        rows = len(train) if self.looking.looks else 0
        self.seen = self.seen.new_full((rows, 1 + len(self.labels)), -1.0)
        self.verdict = self.verdict.new_full((rows,), -1)

    def hard(self, row: Tensor) -> Tensor:
        """1 for training rows ``(b,)`` that the last look called hard, else 0."""
        if not len(self.verdict):
            return torch.zeros(row.shape, device=row.device)
        mine: Tensor = self.verdict.to(row.device)[row] == VERDICTS.index("hard")
        return mine.float()

    @torch.no_grad()
    def refresh(self, predict: Predict, rows: TrainingRows, at: Progress) -> Decisions | None:
        """Look at every training row in several random views; what they agree on decides what the row is worth."""
        self._found = {}
        if not self.looking.due(at.epoch):
            return None
        everyone, given = np.arange(len(rows)), rows.given.argmax(1)
        logits = np.stack([predict(everyone, draw).logits for draw in range(self.looking.looks)])
        p = torch.softmax(torch.from_numpy(logits), 2).numpy()
        known = len(self.seen) == len(rows)
        memory = self.seen.cpu().numpy() if known else None
        before = self.verdict.cpu().numpy() if known else np.full(len(rows), -1, np.int64)
        found = look(p, given, self.looking, memory=memory, done=(at.epoch + 1) / at.epochs)
        row = changed(found.verdict, before)
        self.seen = torch.from_numpy(found.memory).to(self.seen.device)
        self.verdict = torch.from_numpy(found.verdict).to(self.seen.device)
        self._found = verdict_shares(found, given, self.labels)
        return Decisions(row, found.word[row], found.weight[row], found.label[row], found.reasons(row), at.epoch)

    def epoch_end(self, at: Progress) -> dict[str, float]:
        """Shares of the training rows by verdict, and of each label's rows those called noisy, after a look."""
        return self._found


def verdict_shares(found: Actions, given: NDArray[np.int64], labels: LabelSet) -> dict[str, float]:
    """Share of all rows by verdict, and ``noisy <label>``: share of the label's rows that are called noisy."""
    said = {word: float((found.word == word).mean()) for word in VERDICTS}
    mine = {name: found.word[given == i] for i, name in enumerate(labels.names)}
    return said | {f"noisy {name}": float((words == "noisy").mean()) for name, words in mine.items() if len(words)}


def as_images(clip: Tensor) -> Tensor:
    """``(b, t, 3, h, w)`` → ``(b·t, 3, h, w)`` float in 0..255, in the memory layout convolutions are fast in."""
    return clip.flatten(0, 1).to(torch.float32).contiguous(memory_format=torch.channels_last)


def load_state(method: Method, state: Mapping[str, Tensor]) -> None:
    """Load a state dict whose buffers may have sizes of their own. Raises ModelError where names or shapes differ."""
    mine = dict(method.named_buffers())
    for name, tensor in state.items():
        buffer = mine.get(name)
        if buffer is not None and buffer.shape != tensor.shape:
            owner, _, leaf = name.rpartition(".")
            setattr(method.get_submodule(owner), leaf, torch.zeros_like(tensor, device=buffer.device))
    try:
        method.load_state_dict(dict(state))
    except RuntimeError as error:
        first = str(error).strip().splitlines()[-1].strip()
        raise ModelError(
            f"These weights are not those of this {type(method).__name__} ({first}): "
            "use the recipe they were trained with."
        ) from error
