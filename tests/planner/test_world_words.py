import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.plans import GO_TO, OPEN, PICK_UP
from planner.world_words import PUT, VOCABULARY, Deed, SceneWords

names = st.sampled_from(VOCABULARY)
deeds = st.builds(Deed, st.sampled_from([GO_TO, PICK_UP, OPEN]), names) | st.builds(
    Deed, st.just(PUT), names, names
)
several = st.lists(names, unique=True).map(tuple)
scenes = st.builds(SceneWords, deeds, several, st.none() | names, several)


@given(scenes)
def test_a_scene_is_read_back_from_its_text(scene: SceneWords) -> None:
    assert SceneWords.read(str(scene)) == scene


def test_a_scene_reads_like_this() -> None:
    scene = SceneWords(Deed(PUT, "object", "another object"), ("object", "key"), None, ("key",))
    assert str(scene) == (
        "Mission: put the object next to another object. Agent sees <object>, <key>, "
        "holds <nothing>. No free way to <key>."
    )


@pytest.mark.parametrize("text", ["", "Agent sees <key>, holds <nothing>.", "Mission: jump. Agent"])
def test_other_texts_are_no_scenes(text: str) -> None:
    with pytest.raises(ValueError, match="not a scene"):
        SceneWords.read(text)
