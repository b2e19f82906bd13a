"""Vectors at several times as one range: what a subquery is made of."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from llm_canaries.rules.ring import gaps, missing
from llm_canaries.rules.samples import Ranges, Span, packed
from llm_canaries.rules.table import Index, Key
from llm_canaries.rules.vector import Frame, Vector, joined_frames


def stacked(vectors: Sequence[Vector], times: Sequence[int], span: Span) -> Ranges:
    """The series of all vectors, each with a sample at the times at which it was there."""
    frames: list[Frame] = []
    for vector in vectors:
        if vector.frame.size and not any(frame.same(vector.frame) for frame in frames):
            frames.append(vector.frame)
    if not frames:
        return Ranges((), span)
    frame, places = _union(frames)
    values = gaps(len(times), frame.size)
    for row, vector in enumerate(vectors):
        if vector.frame.size:
            place = next(at for known, at in zip(frames, places, strict=True) if known.same(vector.frame))
            values[row, place] = vector.values
    part = packed(frame, np.array(times, dtype=np.int64), values, missing(values))
    return Ranges(() if part is None else (part,), span)


def _union(frames: Sequence[Frame]) -> tuple[Frame, list[Index]]:
    """The distinct series of all frames, and where the rows of each stand among them."""
    if len(frames) == 1:
        return frames[0], [np.arange(frames[0].size)]
    every = joined_frames(frames)
    names: Key = every.names()
    ids = every.keyed(names)[0]
    bounds = np.cumsum([0, *(frame.size for frame in frames)])
    places = [ids[low:high] for low, high in pairwise(bounds.tolist())]
    return Frame(every.table.groups(names)), places
