"""What planners that ask a language model have in common."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from planner.answers import AnswerStore
from planner.plans import Answer, Planner, plan_shares


@dataclass(kw_only=True)
class LivePlanner(Planner):
    """Asks about scenes that it does not know yet, and remembers their answers.

    The store keeps all that the model said. With `asks` off, the planner knows only what the store
    holds.
    """

    store: AnswerStore
    asks: bool = True
    _known: dict[str, Answer | None] = field(default_factory=dict)
    _was_asked: bool = False
    _has_news: bool = False

    def answers(self, scenes: Sequence[str]) -> list[Answer | None]:
        self._was_asked = True
        unknown = [scene for scene in dict.fromkeys(scenes) if scene not in self._known]
        if unknown:
            self.store.refresh()
            if self.asks:
                self._ask_about(unknown)
            for scene in unknown:
                if self._is_stored(scene):
                    self._known[scene] = self._answer(scene)
                    self._has_news = True
        return [self._known.get(scene) for scene in scenes]

    def news(self) -> dict[str, dict[str, float]]:
        if not self._has_news:
            return {}
        self._has_news = False
        return {scene: plan_shares(answer) for scene, answer in self._known.items()}

    @abstractmethod
    def _ask_about(self, scenes: Sequence[str]) -> None:
        """Ask the model about scenes, and store what it says."""

    @abstractmethod
    def _is_stored(self, scene: str) -> bool:
        """Whether the store holds all that the answer to a scene needs."""

    @abstractmethod
    def _answer(self, scene: str) -> Answer | None:
        """The answer to a scene, from the store; None if its replies hold no plan."""
