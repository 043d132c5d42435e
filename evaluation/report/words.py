"""What numbers mean, in sentences that the numbers decide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..outcomes import Interval, wilson
from ..pictures.methods import OURS, REWRITE
from .charts import Matrix, summed
from .page_parts import percent, points
from .rows import LOCK, Json, interval, is_rival, ordered


def beside(apart: Interval, other: str, *, more: str = "ahead of", less: str = "behind") -> str:
    """Say whether a paired difference, in shares, is more than something, less, or neither for all one can tell."""
    if apart.low <= 0 <= apart.high:
        ends = points(apart).replace(" (", " points, ").removesuffix(")")
        return f"level with {other} for all that {apart.count} cases can tell ({ends})"
    least, most = sorted(abs(100 * end) for end in (apart.low, apart.high))
    way = more if apart.low > 0 else less
    return f"{way} {other} by {abs(100 * apart.estimate):.1f} points ({least:.1f} to {most:.1f})"


def shared(value: Interval) -> str:
    """Return a share with its interval, for a sentence."""
    return f"{percent(value.estimate)} ({100 * value.low:.1f}–{100 * value.high:.1f})"


def of_headline(section: Json) -> Iterator[str]:
    """Say what SupSAE gets right with the lock and without it, what still fails, and who comes nearest."""
    rows = section["rows"]
    free, held = rows[OURS], rows[OURS + LOCK]
    yield (
        f"With the lock SupSAE makes the change and keeps all else in {shared(interval(held['both']))} of cases, "
        f"{beside(interval(held['minus_rewrite_lock']['both']), 'the rewrite with the same lock')}."
    )
    yield (
        f"Without it, in {shared(interval(free['both']))}, "
        f"{beside(interval(free['minus_rewrite']['both']), 'the rewrite without it')}."
    )
    yield (
        f"What fails with the lock: in {percent(1 - held['success']['estimate'])} of cases the value asked for is not "
        f"read, in {percent(1 - held['kept']['estimate'])} something else changed or cannot be read. The lock let "
        f"{percent(held.get('let_through', 1.0))} of the picture change."
    )
    yield from _nearest(rows)


def _nearest(rows: Mapping[str, Json]) -> Iterator[str]:
    rivals = [name for name in ordered(rows) if is_rival(name)]
    if rivals:
        best = max(
            (row for row in rows.values() if row["method"] == rivals[0]), key=lambda row: row["both"]["estimate"]
        )
        nearest = f"“{rivals[0]}” {'with' if best['lock'] else 'without'} the lock"
        who = f"Of {len(rivals)} rivals the nearest is {nearest}" if len(rivals) > 1 else f"At its best, {nearest}"
        yield f"{who}: both in {shared(interval(best['both']))}."


def of_interference(matrices: Mapping[str, Matrix]) -> Iterator[str]:
    """Say what SupSAE with the lock disturbs most, and by which edit."""
    matrix, other = matrices[OURS + LOCK], matrices[REWRITE + LOCK]
    columns = {name: summed(matrix, name) for row in matrix.values() for name in row}
    most = max(columns, key=lambda name: _rate(columns[name]))
    yield (
        f"With the lock, SupSAE disturbs {most} most: in {shared(wilson(*columns[most]))} of the edits of something "
        f"else, the rewrite in {shared(wilson(*summed(other, most)))}."
    )
    cells = {(row, name): cell for row in matrix for name, cell in matrix[row].items()}
    edited, changed = max(cells, key=lambda name: _rate(cells[name]))
    count, cases = cells[edited, changed]
    yield f"The worst single field: editing {edited} changed {changed} in {count} of {cases} cases."
    clean = sum(not count for count, _ in cells.values())
    yield f"{clean} of {len(cells)} fields are clean: no change was seen there."


def _rate(cell) -> float:
    return cell[0] / cell[1] if cell[1] else 0.0


def of_splits(section: Json) -> Iterator[str]:
    """Say where SupSAE is behind the rewrite."""
    for name, rows in section.items():
        apart = interval(rows[OURS]["minus_rewrite"]["success"])
        if apart.high < 0:
            yield f"Short of the rewrite in “{name}”: success is {beside(apart, 'it')}."
    if all(interval(rows[OURS]["minus_rewrite"]["success"]).high >= 0 for rows in section.values()):
        yield "In no split is SupSAE’s success below the rewrite’s by more than chance."


def of_several(section: Json) -> Iterator[str]:
    """Say what many edits at once cost."""
    most = max(section, key=int)
    for method in (OURS, REWRITE):
        one, many = (section[count][method] for count in ("1", most))
        lost = 100 * (one["success"]["estimate"] - many["success"]["estimate"])
        yield (
            f"{method}: all of {most} values are read in {shared(interval(many['success']))}, {lost:.1f} points fewer "
            "than of one."
        )
    apart = interval(section[most][OURS]["minus_rewrite"]["success"])
    yield f"With {most} edits SupSAE is {beside(apart, 'the rewrite')}."


def of_strength(section: Json) -> Iterator[str]:
    """Say how evenly the slider acts."""
    places, change = section["positions"], section["change"]
    steps = [after - before for before, after in zip(change, change[1:], strict=False)]
    at = max(range(len(steps)), key=lambda index: abs(steps[index]))
    yield (
        f"The largest step lies between {places[at]:g} and {places[at + 1]:g}: {percent(abs(steps[at]))} of the change "
        "at 1."
    )
    back = [f"{places[i]:g} and {places[i + 1]:g}" for i, step in enumerate(steps) if step < 0]
    yield f"The change shrinks between {', '.join(back)}." if back else "The change grows with every step."
    half = next((p for p, one in zip(places, section["success"], strict=True) if one["estimate"] >= 0.5), None)
    if half is not None:
        yield f"From position {half:g} on, at least half of the pictures show the value asked for."
    yield (
        "At 0 the pictures are those of the unedited prompt, byte for byte."
        if section["untouched_at_0"]
        else "At 0 the pictures are not those of the unedited prompt."
    )


def of_removal(section: Json) -> Iterator[str]:
    """Say whether a removed value stays away, and whether what comes instead is what the words' absence brings."""
    still = section["still_shown"]
    yield (
        f"The removed value is still shown in {shared(interval(still['SupSAE']))}; with the words deleted in "
        f"{shared(interval(still['deleted']))}: "
        f"{beside(interval(section['still_shown_difference']), 'that', more='above', less='below')}."
    )
    by_category = {name: value for name, value in section["total_variation"].items() if name != "mean"}
    most = max(by_category, key=lambda name: by_category[name])
    yield (
        f"What is drawn instead differs most for {most}: {percent(by_category[most])} of the pictures would have to "
        "show another value. Small samples differ by chance alone, so the true figure is lower."
    )


def of_artifacts(rows: Mapping[str, Json]) -> Iterator[str]:
    """Say who leaves marks in pictures."""
    worst = max(rows.values(), key=lambda row: row["artifacts"]["estimate"])
    held, plain = interval(rows[OURS + LOCK]["artifacts"]), interval(rows["no edit"]["artifacts"])
    yield f"SupSAE with the lock: {shared(held)}; pictures without any edit: {shared(plain)}."
    if worst["artifacts"]["estimate"] > 0:
        name = f"{worst['method']}{LOCK if worst['lock'] else ''}"
        yield f"Most are found with {name}: {shared(interval(worst['artifacts']))}."


def of_best_strength(section: Json) -> Iterator[str]:
    """Say who gains by another strength, and who is then nearest."""
    others = [f"{name} {value:g}" for name, value in section["best"].items() if value != 1]
    yield f"Another strength than 1 suits {', '.join(others)}." if others else "Strength 1 suits everyone best."
    yield from _nearest(section["rows"])


def of_adapters(section: Json) -> Iterator[str]:
    """Say how the adapters do beside SupSAE."""
    yield from _nearest(section["rows"])


def of_text(section: Json) -> Iterator[str]:
    """Say what is found in the rows, and what is poorly learnt."""
    for split, found in section["splits"].items():
        yield f"In {split} pairs, concept and exact words are found in {shared(interval(found['located']))}."
    poor = [f"{name}: {one['poor']}" for name, one in section["concepts"].items() if one["poor"]]
    yield f"Poorly learnt: {' '.join(poor)}" if poor else "No concept is poorly learnt."


def of_readers(found: Json) -> Iterator[str]:
    """Say how far the readers agree."""
    agree = interval(found["agree"])
    yield f"Of {agree.count} values that both can read, they agree in {shared(agree)}."
    yield (
        f"Only the first can read {percent(found['only_first_reads']['estimate'])} of all values, only the second "
        f"{percent(found['only_second_reads']['estimate'])}."
    )
