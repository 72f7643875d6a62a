"""Secrets in files: a change is used at once, and a file that is no good changes nothing."""

import os
from pathlib import Path

import pytest

from clawback.cloudflare.http_client import check_token
from clawback.secret_files import (
    FileSecret,
    SecretEvent,
    SecretName,
    SecretUnreadable,
    WatchedFile,
    parse_line,
    refresh_secret,
    require_form,
    watched_files,
)
from clawback.settings import Settings, SettingsError, load_settings

TOKEN = SecretName.API_TOKEN


def secret(path: Path, text: str = "first\n") -> FileSecret:
    """A secret in a file."""
    path.write_text(text, encoding="utf-8")
    return FileSecret(TOKEN, path)


def test_a_new_value_is_used_at_once(tmp_path: Path) -> None:
    """Written in place, renamed into place, and through the link that Kubernetes swaps."""
    found = secret(path := tmp_path / "token")
    assert found.get_secret_value() == "first"
    path.write_text("second, longer")
    assert found.get_secret_value() == "second, longer"
    (tmp_path / "new").write_text("third")
    (tmp_path / "new").rename(path)
    assert found.get_secret_value() == "third"

    for name in ("v1", "v2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(name)
    (data := tmp_path / "..data").symlink_to("v1")
    mounted = FileSecret(TOKEN, data / "token")
    assert mounted.get_secret_value() == "v1"
    (tmp_path / "swap").symlink_to("v2")
    (tmp_path / "swap").rename(data)
    assert mounted.get_secret_value() == "v2"


@pytest.mark.parametrize("text", ["", " \n", "a\nb\n", "\udcff", "x" * (1 << 20) + "y"])
def test_a_file_that_is_no_good_keeps_the_old_value(tmp_path: Path, text: str) -> None:
    """Empty, of several lines, no text, too large: it is told once, and so is the recovery."""
    found = secret(path := tmp_path / "token")
    found.get_secret_value()
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert found.get_secret_value() == "first"
    assert found.file.trouble
    assert text not in found.file.trouble or not text
    assert found.file.take_events() == [SecretEvent.UNREADABLE]
    assert found.file.take_events() == []
    path.write_text("second")
    assert found.get_secret_value() == "second"
    assert found.file.take_events() == [SecretEvent.CHANGED, SecretEvent.RECOVERED]
    assert found.file.trouble is None


def test_a_new_value_of_a_wrong_form_keeps_the_old_one(tmp_path: Path) -> None:
    """A token with blanks in it would break every request, and a `refresh` takes it no more."""
    found = secret(path := tmp_path / "token")
    require_form(found, check_token)
    path.write_text("of two words")
    assert found.get_secret_value() == "first"
    assert found.file.trouble == "the API token must be printable ASCII without blanks"
    assert not refresh_secret(found)
    path.write_text("second")
    assert found.get_secret_value() == "second"

    path.write_text("of two words")
    with pytest.raises(ValueError, match="printable ASCII"):
        require_form(FileSecret(TOKEN, path), check_token)


def test_a_file_that_is_gone_keeps_the_old_value(tmp_path: Path) -> None:
    """A secret manager may take it away for a moment."""
    found = secret(path := tmp_path / "token")
    assert found.get_secret_value() == "first"
    path.unlink()
    assert found.get_secret_value() == "first"
    assert found.file.trouble == "no such file or directory"


def test_what_was_never_read_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    """At a start there is no old value to go on with."""
    found = FileSecret(TOKEN, tmp_path / "none")
    with pytest.raises(SecretUnreadable, match=r"cannot read the api token .*/none: no such file"):
        found.get_secret_value()


def test_a_refused_secret_is_read_again_although_nothing_seems_changed(tmp_path: Path) -> None:
    """Some file systems show a change late: the refusal of a token is reason enough to look."""
    found = secret(path := tmp_path / "token", "first")
    found.get_secret_value()
    before = path.stat()
    path.write_text("other")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert found.get_secret_value() == "first"
    assert refresh_secret(found)
    assert found.get_secret_value() == "other"
    assert not refresh_secret(found)


def test_a_secret_never_shows(tmp_path: Path) -> None:
    """Not in its own text, nor in that of the settings, nor in a copy for programs."""
    path = tmp_path / "token"
    found = secret(path, "hunter2")
    settings = Settings(cloudflare_api_token_file=path)
    for text in (repr(found), str(found), repr(settings), settings.model_dump_json()):
        assert "hunter2" not in text
    assert settings.cloudflare_api_token is not None
    assert settings.cloudflare_api_token.get_secret_value() == "hunter2"


def test_a_secret_and_its_file_are_one_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which of them counts would depend on whoever reads the settings."""
    for name in ("CLOUDFLARE_API_TOKEN", "CLAWBACK_AUDIT_COLLECTOR_TOKEN"):
        with monkeypatch.context() as patched:
            patched.setenv(name, "x" * 8)
            patched.setenv(f"{name}_FILE", str(tmp_path / "file"))
            with pytest.raises(SettingsError, match=f"{name}_FILE: {name} is set too"):
                load_settings()


def test_open_files_are_known_as_long_as_they_are_used(tmp_path: Path) -> None:
    """The watcher of a process looks at them, and keeps none of them alive."""
    file = WatchedFile(TOKEN, tmp_path / "one", parse_line)
    assert file in list(watched_files())
    del file
    assert not any(one.path == tmp_path / "one" for one in watched_files())
