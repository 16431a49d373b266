"""Which of a run's models was its best, and whether the run has fallen below it."""

from dataclasses import dataclass, field

from utils import statistics

WINDOW = 5
"""So many evaluations in a row are one judgement, and so many judgements a lasting fall."""


@dataclass
class Selection:
    """Judges a model by the share of successes in the last five evaluations together, so that no
    lucky one counts; of equal ones the later is the better. Before the fifth none is judged.

    `recent` holds the successes of each of these evaluations, `episodes` how many episodes each
    had; `best`, the `low` end of its 95% interval and `iteration` belong to the best model so far;
    `below` says how many judgements in a row had an interval that lay below all of the best's.
    """

    recent: list[int] = field(default_factory=list)
    episodes: list[int] = field(default_factory=list)
    best: float = -1.0
    low: float = -1.0
    iteration: int = 0
    below: int = 0

    def observe(self, iteration: int, successes: int, episodes: int) -> bool:
        """Takes an evaluation in; returns whether its model is the best so far."""
        self.recent = [*self.recent, successes][-WINDOW:]
        self.episodes = [*self.episodes, episodes][-WINDOW:]
        if len(self.recent) < WINDOW:
            return False
        mean, (low, high) = statistics.share_of(sum(self.recent), sum(self.episodes))
        self.below = self.below + 1 if high < self.low else 0
        if mean < self.best:
            return False
        self.best, self.low, self.iteration = mean, low, iteration
        return True

    @property
    def mean(self) -> float:
        """The share of successes in the last evaluations."""
        return sum(self.recent) / sum(self.episodes)

    @property
    def fallen(self) -> bool:
        return self.below >= WINDOW
