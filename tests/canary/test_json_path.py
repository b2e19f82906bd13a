import pytest

from llm_canaries.canary.json_path import read_path, same, values_at

CHOICES = [{"message": {"content": "hi"}}, {"message": {"content": "ho"}}]
SAID = {"choices": CHOICES, "a.b": {"x-y": None}, "n": [[1, 2]]}


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("choices[0].message.content", ["hi"]),
        ("$.choices[-1].message.content", ["ho"]),
        ("choices[*].message.content", ["hi", "ho"]),
        ("choices[2].message", []),
        ("choices[-3]", []),
        ("choices.message", []),
        ("choices[0][0]", []),
        ('["a.b"].x-y', [None]),
        ("['a.b']['x-y']", [None]),
        ("n[*][1]", [2]),
        ("n[0][*]", [1, 2]),
        ("nothing.at.all", []),
        ("$", [SAID]),
    ],
)
def test_values(path, values):
    assert list(values_at(SAID, read_path(path))) == values


@pytest.mark.parametrize("path", ["", ".a", "a..b", "a[", "a[x]", "a b", "a.", "a[1.5]", "[]", "$.", "a['b]"])
def test_what_is_no_path(path):
    with pytest.raises(ValueError, match="path"):
        read_path(path)


@pytest.mark.parametrize(
    ("found", "wanted", "equal"),
    [(1, 1, True), (1, 1.0, True), (True, 1, False), (0, False, False), (True, True, True), ("1", 1, False),
     (None, None, True)],
)  # fmt: skip
def test_same(found, wanted, equal):
    assert same(found, wanted) is equal
