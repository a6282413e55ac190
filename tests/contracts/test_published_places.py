"""A journal is published into, and verified from, every kind of place."""

from datetime import timedelta
from pathlib import Path

import pytest
from tests.harness.published import Scene

from junmai_svc.checks.proof import Answer, Question
from junmai_svc.service.audit.outside import verify_store
from junmai_svc.storage.backends.base import Backend, RetainedError
from junmai_svc.storage.journal.mirror import Mirror
from junmai_svc.storage.journal.publishing import publish
from junmai_svc.storage.journal.rotation import history_of


def test_what_is_published_there_verifies_from_there(backend: Backend, tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    for steps in (2, 260, 3):
        scene.run(steps=steps)
        with scene.journal() as journal:
            until = scene.now + timedelta(days=400)
            published = publish(journal, backend, retain_until=until)
            current = history_of(journal).current
    (tmp_path / "key.pub").write_text(f"{current}\n", encoding="ascii")
    audit = verify_store(backend, tmp_path / "key.pub", read_data=True)
    assert audit.size == published.size == 272
    answers = {verdict.question: verdict.answer for verdict in audit.verdicts}
    assert answers.pop(Question.OBJECTS) is Answer.UNCHECKED
    assert set(answers.values()) == {Answer.OK}
    mirror = Mirror(backend, audit.journal_id)
    assert mirror.sizes() == [5, 267, 272]
    names = {found.name.removeprefix(mirror.name("")) for found in backend.list(mirror.name(""))}
    assert {name.split("/")[0] for name in names} == {"tile", "keys", "checkpoints", "checkpoint"}
    partial_ones_of_the_first = {name for name in names if name.startswith("tile/entries/000.p/")}
    if backend.capabilities().object_lock:
        assert partial_ones_of_the_first
        for name in names - {"checkpoint"}:
            with pytest.raises(RetainedError):
                backend.delete(mirror.name(name))
    else:
        assert not partial_ones_of_the_first
    backend.close()
