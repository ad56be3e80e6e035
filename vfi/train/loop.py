"""The training loop: draws examples, takes steps, measures, and saves a state from which it resumes bit-exactly.

A step depends only on the state before it and on its number: the random generator of each example is seeded with the recipe's
seed, the step and the place in the batch. So neither interruptions nor the number of worker processes change the result.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from ..core import InputError, Interpolator
from ..model.weights.files import write
from ..model.wrappers import Padded
from ..pixels.metrics import psnr
from .data import Material
from .distributed import Crew
from .log import Log
from .objective import learned
from .recipe import Recipe, Schedule
from .samples import Sample, batch
from .sources import Source, shape_of
from .state import State
from .students import student
from .teachers import each

NOTED = 20
"""Steps between two log entries of the loss, each the mean over those steps."""

CURVES = ("loss", "psnr", "rate")

MEASURED = 32
"""Maximum number of held-out windows to measure, spread evenly over all of them."""


@dataclass(frozen=True)
class Progress:
    """Progress after a step. ``loss``: mean of the last full `NOTED` steps, NaN before the first. ``psnr``: last measurement,
    in dB, if any."""

    step: int
    steps: int
    loss: float
    psnr: float | None


def train(
    recipe: Recipe,
    material: Material,
    folder: Path,
    *,
    device: str = "cpu",
    told: Callable[[Progress], None] = lambda progress: None,
    until: int | None = None,
) -> Path:
    """Train by ``recipe`` and return the file of the best weights; resumes if ``folder`` holds a state.

    ``folder`` gets ``state.safetensors``, the log with its curves, and ``weights.safetensors``: the moving average in float16,
    from the best measurement, or the last one if nothing is held out. ``until``: stop at this step. Raises `InputError`.
    """
    if recipe.schedule.kept and not recipe.start:
        raise InputError(f"kept {recipe.schedule.kept:g} was given without a start: a new network has no weights to keep")
    crew = Crew(device)
    net = student(recipe.network, recipe.start, recipe.seed, recipe.refine).to(crew.device)
    schedule = recipe.schedule
    optimiser = torch.optim.AdamW(net.parameters(), schedule.rate, weight_decay=schedule.decay)
    state, log = State(net, optimiser, schedule.kept), Log(folder)
    folder.mkdir(parents=True, exist_ok=True)
    kept, weights = folder / "state.safetensors", folder / "weights.safetensors"
    if kept.is_file():
        state.load(kept)
    crew.together()
    if crew.rank == 0:
        log.forget(state.tally.step)
    end = min(schedule.steps, until or schedule.steps)
    saved = time.monotonic()
    measured: float | None = None
    losses: list[Tensor] = []
    loss = math.nan
    for step, examples in drawn(recipe, material.source, crew, state.tally.step, end):
        began = time.monotonic()
        losses.append(stepped(state, recipe, examples.to(crew.device), step, crew))
        state.tally.seconds += time.monotonic() - began
        if state.tally.step % NOTED == 0:
            loss = mean(losses)
            losses.clear()
            if not math.isfinite(loss):
                raise InputError(f"the loss of step {step} is {loss}: try a lower rate")
        if crew.rank == 0 and state.tally.step % NOTED == 0:
            log.note(step=state.tally.step, loss=loss, rate=rate_at(schedule, step), seconds=round(state.tally.seconds, 1))
        if state.tally.step % schedule.validate == 0 or state.tally.step == schedule.steps:
            measured = measure(state, material.held_out, crew) if crew.rank == 0 else None
            if crew.rank == 0:
                judge(state, measured, weights, recipe)
                if measured is not None:
                    log.note(step=state.tally.step, psnr=measured)
                log.draw(CURVES)
        if crew.rank == 0:
            told(Progress(state.tally.step, end, loss, measured))
            if time.monotonic() - saved > 60 * schedule.save or state.tally.step == end:
                state.save(kept)
                saved = time.monotonic()
        if schedule.patience and crew.agree(state.tally.waited >= schedule.patience):
            break
    if crew.rank == 0:
        state.save(kept)
        if not weights.is_file():
            judge(state, None, weights, recipe)
        log.draw(CURVES)
    crew.leave()
    return weights


def stepped(state: State, recipe: Recipe, examples: Sample, step: int, crew: Crew) -> Tensor:
    """Take step number ``step`` (from 0) on ``examples`` and return the loss."""
    schedule = recipe.schedule
    for group in state.optimiser.param_groups:
        group["lr"] = rate_at(schedule, step)
    with torch.autocast("cuda", torch.bfloat16, enabled=schedule.mixed and crew.device.type == "cuda"):
        lesson = learned(cast(Interpolator, state.model), examples, recipe.loss)
    state.optimiser.zero_grad(set_to_none=True)
    lesson.loss.backward()  # type: ignore[no-untyped-call]
    crew.average(state.model.parameters())
    nn.utils.clip_grad_norm_(state.model.parameters(), schedule.clip)
    state.optimiser.step()
    state.tally.step = step + 1
    state.follow(schedule.average)
    return lesson.loss.detach()


def mean(losses: list[Tensor]) -> float:
    return float(torch.stack(losses).mean())


def rate_at(schedule: Schedule, step: int) -> float:
    """The learning rate of step number ``step``, from 0: linear warm-up, then cosine decay."""
    if step < schedule.warm_up:
        return schedule.rate * (step + 1) / schedule.warm_up
    share = (step - schedule.warm_up) / max(schedule.steps - schedule.warm_up, 1)
    return schedule.last_rate + (schedule.rate - schedule.last_rate) * (1 + math.cos(math.pi * min(share, 1))) / 2


class Steps(Dataset[Sample]):
    """The batches of one process, indexed by step number."""

    def __init__(self, recipe: Recipe, source: Source, rank: int) -> None:
        self.recipe, self.source, self.rank = recipe, source, rank

    def __getitem__(self, step: int) -> Sample:
        size, count = self.recipe.data.size, self.recipe.schedule.batch
        chances = (random.Random(f"{self.recipe.seed} {step} {self.rank * count + place}") for place in range(count))
        return batch([self.source.draw(size, chance) for chance in chances])


def drawn(recipe: Recipe, source: Source, crew: Crew, start: int, end: int) -> Iterator[tuple[int, Sample]]:
    """The steps from ``start`` to ``end`` (excluded) with their batches."""
    numbers = range(start, end)
    loader = DataLoader(
        Steps(recipe, source, crew.rank),
        sampler=numbers,
        batch_size=None,
        num_workers=recipe.schedule.workers,
    )
    return zip(numbers, loader, strict=True)


@torch.inference_mode()
def measure(state: State, held_out: tuple[Path, ...], crew: Crew) -> float | None:
    """Mean PSNR, in dB, of the result so far on held-out windows; None if there are none."""
    model = Padded(cast(Interpolator, state.result()))
    every = max(-(-sum(shape_of(shard, "windows")[0] for shard in held_out) // MEASURED), 1)
    values = [
        psnr(model(window.to(crew.device), t.to(crew.device))[0].cpu(), truth[0])
        for shard in held_out
        for window, t, truth in each(shard, every)
    ]
    return sum(values) / len(values) if values else None


def judge(state: State, measured: float | None, weights: Path, recipe: Recipe) -> None:
    """Write the result so far to ``weights`` if it measured best, or if nothing can be measured."""
    tally = state.tally
    if measured is not None and measured <= tally.best:
        tally.waited += 1
        return
    tally.best, tally.waited = measured if measured is not None else tally.best, 0
    half = {name: value.half() if value.is_floating_point() else value for name, value in state.result().state_dict().items()}
    told = {"network": recipe.start or recipe.network, "step": str(tally.step), "recipe": json.dumps(recipe.as_plain_values())}
    write(weights, half, told | ({} if measured is None else {"psnr": f"{measured:.3f}"}))
