"""Finds the best model of a run, and notices when the run falls below it."""

from dataclasses import dataclass, field

from utils import statistics

WINDOW = 5
"""The evaluations that are judged together, and the judgements in a row that show a fall."""


@dataclass
class Selection:
    """Judges a model by the share of successes in the last five evaluations together, so that one
    lucky evaluation does not count. Of equal models the later one is better. There is no judgement
    before the fifth evaluation.

    `recent` holds the number of successes of each of these evaluations, and `episodes` their
    numbers of episodes. `best` is the success of the best model so far, and `low` the lower end of
    its 95% interval. The model was saved at `iteration`. `below` counts the judgements in a row
    whose interval lies wholly below the best one's. All evaluations use the same environments, so
    an interval is as long as that of a single evaluation.
    """

    recent: list[int] = field(default_factory=list)
    episodes: list[int] = field(default_factory=list)
    best: float = -1.0
    low: float = -1.0
    iteration: int = 0
    below: int = 0

    def observe(self, iteration: int, successes: int, episodes: int) -> bool:
        """Add an evaluation; returns whether its model is the best so far."""
        self.recent = [*self.recent, successes][-WINDOW:]
        self.episodes = [*self.episodes, episodes][-WINDOW:]
        if len(self.recent) < WINDOW:
            return False
        share = statistics.share_of_repeats(self.recent, self.episodes)
        self.below = self.below + 1 if share.high < self.low else 0
        if share.value < self.best:
            return False
        self.best, self.low, self.iteration = share.value, share.low, iteration
        return True

    @property
    def mean(self) -> float:
        """The share of successes in the last evaluations."""
        return sum(self.recent) / sum(self.episodes)

    @property
    def fallen(self) -> bool:
        return self.below >= WINDOW
