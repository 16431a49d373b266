import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.plans import GO_TO, OPEN, PICK_UP
from planner.world_words import PUT, VOCABULARY, SceneWords

names = st.sampled_from(VOCABULARY)
several = st.lists(names, unique=True).map(tuple)
verbs = st.sampled_from([GO_TO, PICK_UP, OPEN])
scenes = st.builds(SceneWords, verbs, names, st.none(), several, st.none() | names) | st.builds(
    SceneWords, st.just(PUT), names, names, several, st.none() | names
)


@given(scenes)
def test_a_scene_is_read_back_from_its_text(scene: SceneWords) -> None:
    assert SceneWords.read(str(scene)) == scene


def test_a_scene_reads_like_this() -> None:
    scene = SceneWords(PUT, "object", "another object", ("another object", "key"), "object")
    assert str(scene) == (
        "Mission: put the object next to another object. Agent sees <another object>, <key>, "
        "holds <object>."
    )


@pytest.mark.parametrize("text", ["", "Agent sees <key>, holds <nothing>.", "Mission: jump. Agent"])
def test_other_texts_are_no_scenes(text: str) -> None:
    with pytest.raises(ValueError, match="not a scene"):
        SceneWords.read(text)
