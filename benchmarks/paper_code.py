"""What ``scale.py`` measures of the paper's public code, its own classes, beside a fit of the same prompts.

Given a checkout of https://github.com/ouns972/decoder-only-ssae and what its modules import (h5py, GitPython,
matplotlib). It has a row of features for every prompt that it was trained on; a prompt kept aside gets the mean of
every concept's over these, the only reading that it leaves. Errors are FVU: squares that are left of those about the
training prompts' mean, over the 1000 dimensions that the code models, and over all, where it leaves the others to
that mean.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

KEPT, BATCH, RATE, LAST, REPEAT = 1000, 16, 1e-3, 1e-4, 10
"""Of its ``params_default.yaml``: dimensions, prompts a step, rate at first and at last, features of a concept."""
WORDINGS = ("free", "fixed")
"""Prompts as they are captured, and as the paper writes them: concepts alone, one behind the other."""


def written(asked: dict[str, Any]) -> dict[str, Any]:
    """Write a capture's prompts as its data set reads them, encoded anew, pads and all."""
    import h5py
    from stand_in import StandIn

    from supsae.supsae_core.capture.captures import load_capture

    plan, folder, host = load_capture(asked["folder"]).plan, Path(asked["data"]), StandIn()
    groups = {name: [f"p{index}" for index in members] for name, members in plan.table.categories.items()}
    supports = [one.prompt.support(plan.table) for one in plan.entries]
    texts = [one.prompt.text for one in plan.entries]
    if asked["wording"] == "fixed":
        supports = _combinations(list(plan.table.categories.values()), len(texts))
        texts = [", ".join(_phrase(plan.table, one) for one in support) for support in supports]
    fitted = [index for index, one in enumerate(plan.entries) if one.set == "fit"]
    aside = [index for index, one in enumerate(plan.entries) if one.set == "calibration"]
    _write_json(folder / "properties.json", groups)
    first = next(iter(groups))
    _write_json(folder / "properties_same.json", {name: name != first and some[:1] for name, some in groups.items()})
    _write_json(
        folder / "prompts.json",
        [{"id": at, "prompt": ", ".join(f"p{one}" for one in supports[index])} for at, index in enumerate(fitted)],
    )
    for at, index in enumerate(fitted):
        (cond,), (pooled,) = host.encode([texts[index]])
        own = folder / "embds" / f"embds_{at}"
        own.mkdir(parents=True)
        for name, values in (("embds", cond), ("embds_pooled", pooled)):
            with h5py.File(own / f"{name}.h5", "w") as file:
                file.create_dataset("vector", data=values.half().flatten().numpy())
    _write_json(folder / "aside.json", [{"text": texts[index], "support": list(supports[index])} for index in aside])
    return {"prompts": len(fitted), "aside": len(aside)}


def _combinations(groups: list[list[int]], count: int) -> list[tuple[int, ...]]:
    """Return distinct supports, each with up to one concept of every category, in the table's order."""
    rng, found = np.random.default_rng(11), dict[tuple[int, ...], None]()
    while len(found) < count:
        picks = [(*members, None)[rng.integers(len(members) + 1)] for members in groups]
        found.setdefault(tuple(one for one in picks if one is not None))
    return list(found)


def _phrase(table: Any, concept: int) -> str:
    return table.phrases[table.first_phrase[concept]].text


def _write_json(path: Path, data: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), encoding="utf-8")


def published(asked: dict[str, Any]) -> dict[str, Any]:
    """Load its data set, which finds the widest dimensions, then train one epoch as published."""
    began = time.process_time()
    data = _data(asked)
    loaded, began = time.process_time() - began, _cpu()
    loader = DataLoader(data, batch_size=BATCH, drop_last=True, num_workers=1)
    _train(data, lambda: (x for x, _ in loader), 1)
    return {"load_seconds": round(loaded, 2), "epoch_seconds": round(_cpu() - began, 2)}


def cached(asked: dict[str, Any]) -> dict[str, Any]:
    """Train on rows that are held in memory, and judge what it makes of prompts kept aside."""
    data = _data(asked)
    rows = torch.stack([data[at][0] for at in range(len(data))])
    batches = [some for some in rows.split(BATCH) if len(some) == BATCH]
    began, epochs = time.process_time(), asked["epochs"]
    model = _train(data, lambda: batches, epochs)
    each = (time.process_time() - began) / epochs
    kept = data.indices_truncate_embds_topk
    codes = _mean_codes(model, data.mask_reduced)
    aside = json.loads(Path(asked["data"], "aside.json").read_text(encoding="utf-8"))
    labels = torch.zeros(len(aside), len(codes))
    for at, one in enumerate(aside):
        labels[at, one["support"]] = 1
    with torch.no_grad():
        hidden = (labels[:, :, None] * codes).flatten(1).relu()
        made = data.denormalize(model.linear(hidden))
    truth = _encoded(aside)
    mean = _mean(asked["data"], len(data))
    off = (truth - mean).square().double()
    within, left = off[:, kept].sum(), (truth[:, kept] - made).square().double().sum()
    return {
        "epochs": epochs,
        "epoch_seconds": round(each, 3),
        "fvu": round(float(left / within), 3),
        "fvu_all": round(float((off.sum() - within + left) / off.sum()), 3),
    }


def ours(asked: dict[str, Any]) -> dict[str, Any]:
    """Judge our levels on the prompts kept aside of the same capture, in the same dimensions."""
    from supsae.supsae_core.capture.captures import load_capture
    from supsae.training import fit

    fit.fit_operators = lambda *_: ({}, {})  # the levels alone
    capture = load_capture(asked["folder"])
    learnt = fit.fit_dictionary(capture)
    made = torch.stack([_decoded(learnt, one) for one in capture.read("calibration")])
    aside = json.loads(Path(asked["data"], "aside.json").read_text(encoding="utf-8"))
    truth, kept = _encoded(aside), _data(asked).indices_truncate_embds_topk
    off = (truth - _mean(asked["data"], asked["prompts"])).square().double()
    left = (truth - made).square().double()
    return {
        "fvu": round(float(left[:, kept].sum() / off[:, kept].sum()), 3),
        "fvu_all": round(float(left.sum() / off.sum()), 3),
    }


def _decoded(learnt: Any, row: Any) -> Tensor:
    """Return what the levels make of a prompt: its rows and its pooled vector, flattened."""
    from supsae.supsae_core.dictionary.model import POOLED
    from supsae.training.calibration import known_reading

    reading, made = known_reading(learnt, row), torch.zeros_like(row.cond)
    for encoder in reading.encoders(learnt.family):
        here, layout = reading.coded(learnt, encoder), reading.layouts[encoder.name]
        around = here.context(layout.spans)
        slots = [(span.phrase, list(span.rows)) for span in layout.spans]
        slots += [(learnt.role(name), list(rows)) for name, rows in layout.roles.filled().items()]
        for slot, rows in slots:
            made[rows, encoder.first : encoder.last] = here.part.decode(here.codes(slot, rows, around))
    said = torch.zeros(len(learnt.table))
    said[list(row.entry.prompt.support(learnt.table))] = 1
    part = learnt.parts[POOLED]
    return torch.cat([made.flatten(), part.decode(part.code(0, 0, said))])


def _data(asked: dict[str, Any]) -> Any:
    sys.path.insert(0, asked["checkout"])
    from trainings.dataloader.dataloader import H5Dataset  # pyright: ignore[reportMissingImports]

    with _quiet():
        return H5Dataset(f"{asked['data']}/", truncate_embds_topk=KEPT, normalize="MAX_MIN")


def _train(data: Any, batches: Callable[[], Iterable[Tensor]], epochs: int) -> Any:
    """Train its decoder on batches of its data set in their order, as its own loop does."""
    from trainings.models.model_trainable_inputs import Decoder  # pyright: ignore[reportMissingImports]
    from trainings.utils.learning_rate_scheduler import LRScheduler  # pyright: ignore[reportMissingImports]

    torch.manual_seed(0)
    concepts, same = data.properties.n_properties, data.same_id
    with _quiet():
        model = Decoder(
            len(data), concepts * REPEAT, REPEAT, data.dim_x, same.tid_same, concepts * same.n_pid_never_same
        )
        model.apply_mask(data.mask_reduced, BATCH)
    adam = torch.optim.Adam(model.parameters(), lr=RATE)
    falling = LRScheduler(adam, "LINEAR", RATE, LAST, epochs)
    for epoch in range(epochs):
        for batch, x in enumerate(batches()):
            loss = torch.nn.functional.mse_loss(model(batch_size=len(x), batch_idx=batch), x)
            adam.zero_grad()
            loss.backward()
            adam.step()
        falling.step(epoch)
    return model


def _mean_codes(model: Any, said: Tensor) -> Tensor:
    """Return the mean features (concepts, repeat) of every concept over the prompts that say it."""
    features = model.Y_with_same.detach().unflatten(1, (-1, REPEAT))
    weights = said.float() / said.sum(0).clamp(min=1)
    return torch.einsum("nk,nkr->kr", weights, features)


def _encoded(aside: list[dict[str, Any]]) -> Tensor:
    from stand_in import StandIn

    host = StandIn()
    conds, pooled = host.encode([one["text"] for one in aside])
    return torch.stack([torch.cat([c.flatten(), p]) for c, p in zip(conds, pooled, strict=True)])


def _mean(data: str, count: int) -> Tensor:
    """Return the mean of the training prompts' rows, flattened."""
    return sum(_stored(data, count), start=torch.zeros(())) / count


def _stored(data: str, count: int) -> Iterator[Tensor]:
    import h5py

    for at in range(count):
        some = []
        for name in ("embds", "embds_pooled"):
            with h5py.File(Path(data, "embds", f"embds_{at}", f"{name}.h5")) as file:
                some.append(torch.from_numpy(file["vector"][:]).float())
        yield torch.cat(some)


MEASURED = {"data": written, "published": published, "cached": cached, "ours": ours}
"""What can be measured → its function."""


def _cpu() -> float:
    """Return CPU seconds of this process and of those that it has waited for."""
    import resource

    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(one.ru_utime + one.ru_stime for one in map(resource.getrusage, whose))


def _quiet() -> Any:
    """Keep what it prints out of the way of the numbers."""
    import contextlib

    return contextlib.redirect_stdout(sys.stderr)
