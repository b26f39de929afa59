"""What was made here is replaced and removed; what is the user's never is."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nrdfer.core.errors import NotOursError
from nrdfer.core.own_files import NOTES, is_as_made, publish, refuse_foreign, remove_made, unfinished, write_made


def publish_folder(path: Path, **files: str) -> None:
    with unfinished(path.parent) as place:
        (place / "fresh" / "deep").mkdir(parents=True)
        for name, text in files.items():
            (place / "fresh" / "deep" / name).write_text(text)
        publish(place / "fresh", path)


def tree(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_what_was_made_is_replaced_and_removed(tmp_path: Path) -> None:
    file, folder = tmp_path / "a.json", tmp_path / "clip"
    for text in ("one", "two"):
        write_made(file, text.encode())
        publish_folder(folder, a=text, b=text)
        assert file.read_text() == text
        assert tree(folder) == {"deep/a": text, "deep/b": text}
    (folder / "deep" / "b").unlink()  # somebody tidied up
    publish_folder(folder, a="three")
    assert tree(folder) == {"deep/a": "three"}
    assert {path.name for path in tmp_path.iterdir()} == {NOTES, "a.json", "clip"}
    for path in (file, folder):
        remove_made(path)
        remove_made(path)
    assert list(tmp_path.iterdir()) == []


def test_what_was_made_is_known_after_its_folder_was_moved(tmp_path: Path) -> None:
    publish_folder(tmp_path / "out" / "clip", a="one")
    (tmp_path / "out").rename(tmp_path / "elsewhere")
    publish_folder(tmp_path / "elsewhere" / "clip", a="two")
    assert tree(tmp_path / "elsewhere" / "clip") == {"deep/a": "two"}


def _users_file(path: Path) -> None:
    path.write_text("mine")


def _users_folder(path: Path) -> None:
    path.mkdir()
    (path / "thesis").write_text("mine")


def _edited(path: Path) -> None:
    publish_folder(path, a="one")
    (path / "deep" / "a").write_text("two")


def _added_to(path: Path) -> None:
    publish_folder(path, a="one")
    (path / "notes").write_text("mine")


def _empty_folder_added(path: Path) -> None:
    publish_folder(path, a="one")
    (path / "plan").mkdir()


def _edited_file(path: Path) -> None:
    write_made(path, b"one")
    path.write_text("two")


def _protected_file(path: Path) -> None:
    write_made(path, b"one")
    path.chmod(0o444)


def _protected_folder(path: Path) -> None:
    publish_folder(path, a="one")
    path.chmod(0o555)


def _protected_inside(path: Path) -> None:
    publish_folder(path, a="one")
    (path / "deep" / "a").chmod(0o444)


def _link_to_a_file(path: Path) -> None:
    target = path.with_name("target")
    write_made(target, b"one")
    path.symlink_to(target)


def _link_to_a_folder(path: Path) -> None:
    target = path.with_name("target")
    publish_folder(target, a="one")
    path.symlink_to(target)


def _link_to_nowhere(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def _link_inside(path: Path) -> None:
    publish_folder(path, a="one")
    path.with_name("target").write_text("one")
    (path / "deep" / "a").unlink()
    (path / "deep" / "a").symlink_to(path.with_name("target"))


def _foreign_note(path: Path) -> None:
    """The note of another thing, copied along."""
    write_made(path.with_name("other"), b"one")
    path.write_text("one")
    (note,) = (path.parent / NOTES).iterdir()
    write_made(path.with_name("x"), b"one")
    for other in (path.parent / NOTES).iterdir():
        other.write_bytes(note.read_bytes())


def _damaged_note(path: Path) -> None:
    write_made(path, b"one")
    (note,) = (path.parent / NOTES).iterdir()
    note.write_text('{"name": "it", "contents": [[]]}')


@pytest.mark.parametrize(
    "made",
    [
        _users_file, _users_folder, _edited, _added_to, _empty_folder_added, _edited_file, _protected_file,
        _protected_folder, _protected_inside, _link_to_a_file, _link_to_a_folder, _link_to_nowhere, _link_inside,
        _foreign_note, _damaged_note,
    ],
)  # fmt: skip
def test_what_is_the_users_is_refused_in_words(tmp_path: Path, made: Callable[[Path], None]) -> None:
    path = tmp_path / "it"
    made(path)
    before, link = tree(tmp_path), path.is_symlink()
    for change in (refuse_foreign, remove_made, lambda it: write_made(it, b"x"), lambda it: publish_folder(it, a="x")):
        with pytest.raises(NotOursError, match="it is left unchanged"):
            change(path)
    assert (tree(tmp_path), path.is_symlink()) == (before, link)


def test_an_empty_folder_is_filled_but_not_removed(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    remove_made(tmp_path / "clip")
    publish_folder(tmp_path / "clip", a="one")
    assert tree(tmp_path / "clip") == {"deep/a": "one"}


def test_a_failed_replacement_leaves_the_earlier_one_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    write_made(path, b"one")
    with monkeypatch.context() as patched, pytest.raises(OSError, match="full"):
        patched.setattr("nrdfer.core.own_files._place", _full)
        write_made(path, b"two")
    assert path.read_text() == "one"
    write_made(path, b"three")
    assert path.read_text() == "three"
    assert {found.name for found in tmp_path.iterdir()} == {NOTES, "a.json"}


def test_what_a_power_cut_left_between_note_and_name_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old or new content under a note that names both."""
    path = tmp_path / "a.json"
    write_made(path, b"one")
    (note,) = (tmp_path / NOTES).iterdir()
    kept: list[bytes] = []

    def place(fresh: Path, target: Path) -> None:
        kept.append(note.read_bytes())
        fresh.replace(target)

    monkeypatch.setattr("nrdfer.core.own_files._place", place)
    write_made(path, b"two")
    for content in (b"one", b"two"):
        note.write_bytes(kept[0])
        path.write_bytes(content)
        refuse_foreign(path)


def _full(fresh: Path, target: Path) -> None:
    raise OSError(28, "the disk is full")


def test_a_folder_that_may_not_be_opened_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_folder(tmp_path / "ours", a="one")
    (tmp_path / "theirs").mkdir()
    monkeypatch.setattr("os.scandir", _denied)  # what root may not be denied
    monkeypatch.setattr("os.listdir", _denied)
    for path in (tmp_path / "ours", tmp_path / "theirs"):
        for refused in (refuse_foreign, remove_made):
            with pytest.raises(
                NotOursError, match=r"is there and cannot be examined \(Permission denied\); it is left"
            ):
                refused(path)


def _denied(path: str) -> None:
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)


def test_files_are_held_against_what_was_made(tmp_path: Path) -> None:
    folder = tmp_path / "clip"
    publish_folder(folder, a="one", b="two")
    (folder / "mine").touch()
    assert is_as_made(folder, ["deep/a", "deep/b"])
    (folder / "deep" / "b").write_text("owt")
    assert is_as_made(folder, ["deep/a"]) and not is_as_made(folder, ["deep/a", "deep/b"])
    assert not is_as_made(folder, ["mine"])
