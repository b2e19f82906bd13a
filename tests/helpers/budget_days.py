"""Days of canaries under a cap on a fake clock, run by run."""

import heapq
import random

from llm_canaries.canary.budget import DAY, Amount, Caps, Purse, Wish, decide
from llm_canaries.canary.canary import Priority


class Simulated:
    """A day on a fake clock: cases of (priority, interval, tokens at most) against one cap."""

    def __init__(self, cases, cap, seed=1, cheaper=0.0):
        draw = random.Random(seed)
        self.runs = {index: [] for index in range(len(cases))}
        self.held = {index: [] for index in range(len(cases))}
        self.spent, self.peak = 0, 0
        queue = [(draw.random() * every, index) for index, (_, every, _) in enumerate(cases)]
        heapq.heapify(queue)
        while queue and queue[0][0] < DAY:
            now, index = heapq.heappop(queue)
            priority, every, tokens = cases[index]
            last = self.runs[index][-1] if self.runs[index] else None
            asked = Wish(cost=Amount(tokens=tokens), priority=priority, every=every, last=last)
            wait = decide(now, [Purse(Amount(tokens=self.spent), Caps(tokens=cap))], asked)
            if wait is None:
                self.peak = max(self.peak, self.spent + tokens)
                self.spent += int(tokens * (1 - cheaper * draw.random()))
                self.runs[index].append(now)
            else:
                assert now < wait.until <= DAY or not wait.spent
                self.held[index].append(now)
            heapq.heappush(queue, (now + every, index))


def demand(cases):
    """What a day of them costs when nobody gives way."""
    return sum(DAY / every * tokens for _, every, tokens in cases)


def crowd(high=5, normal=20, low=10, tokens=100):
    """Cases of each priority, all every ten minutes."""
    counts = ((Priority.HIGH, high), (Priority.NORMAL, normal), (Priority.LOW, low))
    return [(priority, 600.0, tokens) for priority, count in counts for _ in range(count)]
