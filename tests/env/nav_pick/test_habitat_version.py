"""Which habitat-sim is accepted."""

import pytest

from env.nav_pick.habitat_version import check_habitat_sim
from utils.errors import UserError


@pytest.mark.parametrize("version", ["0.3.3", "0.3.4"])
def test_the_last_two_versions_with_bullet_are_accepted(version: str) -> None:
    check_habitat_sim(version, has_bullet=True)


@pytest.mark.parametrize(
    ("version", "has_bullet", "words"),
    [
        ("0.2.5", True, "needs habitat-sim 0.3.3 or 0.3.4 with Bullet, not 0.2.5;"),
        ("0.3.3", False, "with Bullet, not 0.3.3 without it;"),
    ],
)
def test_another_habitat_sim_is_refused_in_one_line(
    version: str, has_bullet: bool, words: str
) -> None:
    with pytest.raises(UserError, match=words) as refusal:
        check_habitat_sim(version, has_bullet)
    assert "\n" not in str(refusal.value)
