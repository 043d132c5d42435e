"""Listen to one batch while it is sampled: sum the streams up over runs of steps, and take the slots' samples.

Within a batch who stands where does not change from step to step, so that all that runs while a step does is a copy
and an addition per site, on the device.
"""

from collections.abc import Callable, Sequence

import torch
from einops import rearrange, reduce
from torch import Tensor

from ..supsae_core.capture.activations import Recorded
from ..supsae_core.capture.captures import Encoded
from ..supsae_core.capture.plan import ActivationPlan
from ..supsae_core.capture.samples import Picked, attended, picked, recorded_rows
from ..supsae_core.encoders.sites import Site
from ..supsae_core.encoders.streams import parse_part


class BatchRecorder:
    """What is heard of one batch; a ``Listener``."""

    def __init__(self, plan: ActivationPlan, prompts: Sequence[Encoded]) -> None:
        self._plan, self._how, self._prompts = plan, plan.sampling, prompts
        self.sites = plan.sampling.sites
        weighted = plan.sampling.image == "attention" and any(site.kind == "img" for site in self.sites)
        self.attended = [attended(plan, row) for row in prompts] if weighted else None
        self._heard, self._sums = dict[Site, Tensor](), dict[Site, Tensor]()
        self._done, self._buckets = 0, list[dict[str, Tensor]]()
        self._picked: dict[str, Picked] = {}

    def hear(self, site: Site, rows: Tensor, attention: Tensor | None = None) -> None:
        reduction = _all if site.kind == "txt" else REDUCTIONS[self._how.image]
        self._heard[site] = reduction(rows, attention)

    def step(self) -> None:
        for site, rows in self._heard.items():
            self._sums[site] = self._sums[site].add_(rows) if site in self._sums else rows.float()
        if self._heard.keys() != set(self.sites):
            raise ValueError(
                f"Nothing was heard at {next(str(one) for one in self.sites if one not in self._heard)} in step "
                f"{self._done + 1}: something skips calls of the model or blocks of it. Take caches such as EasyCache "
                "off the model."
            )
        self._heard.clear()
        self._done += 1
        run = self._how.runs[len(self._buckets)]
        if self._done == run.stop:
            self._buckets.append(self._bucket(len(run)))
            self._sums.clear()

    def recorded(self) -> Recorded:
        """Return what is to be kept: samples of prompts to fit on, all rows of those to calibrate on."""
        assert len(self._buckets) == self._how.buckets, "sampling ended early"
        dim = 0 if self._fits else 1
        found: dict[str, Tensor] = {}
        for name in self._buckets[0]:
            found[name] = torch.stack([one[name] for one in self._buckets], dim)
        return found

    @property
    def _fits(self) -> bool:
        return self._prompts[0].entry.set == "fit"

    def _bucket(self, steps: int) -> dict[str, Tensor]:
        if not self._fits:
            return {str(site): _small(total / steps) for site, total in self._sums.items()}
        return {
            name: self._samples(name).reduce(self._sums[site] / steps).cpu()
            for name, site in self._how.parts(self._plan.family).items()
        }

    def _samples(self, name: str) -> Picked:
        """Parts of the same rows take the same samples, whatever their site."""
        rows = parse_part(name)[1]
        if rows not in self._picked:
            length = max(recorded_rows(self._plan, name, row) for row in self._prompts)
            self._picked[rows] = picked(self._plan, name, self._prompts, length)
        return self._picked[rows]


def _mean(rows: Tensor, _: Tensor | None) -> Tensor:
    return reduce(rows.float(), "b token d -> b 1 d", "mean")


def _weighted(rows: Tensor, attention: Tensor | None) -> Tensor:
    assert attention is not None
    share = attention / reduce(attention, "b token group -> b 1 group", "sum").clamp(min=1e-12)
    return rearrange(share, "b token group -> b group token") @ rows.float()


def _all(rows: Tensor, _: Tensor | None) -> Tensor:
    return rows.clone()  # a host may use its memory anew before the step is done


REDUCTIONS: dict[str, Callable[[Tensor, Tensor | None], Tensor]] = {
    "mean": _mean,
    "attention": _weighted,
    "positions": _all,
}
"""Reduction of the image stream → (tokens (B, N, d), attention (B, N, groups) or None) → (B, rows, d)."""


def _small(rows: Tensor) -> Tensor:
    """Keep half precision; bfloat16 where a stream's largest channels are beyond its range."""
    half = rows.half()
    return (half if bool(half.isfinite().all()) else rows.bfloat16()).cpu()
