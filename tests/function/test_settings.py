"""Test that every setting has its default and takes valid values, and that startup fails on an invalid one."""

import dataclasses
from pathlib import Path

import pytest

from flowers.settings import BUNDLED_MODEL, Settings, SettingsError

# https://cloud.google.com/storage/docs/buckets#naming (2026): 3 to 63 characters, with dots between them up to 222.
LONGEST = f"{'a' * 63}." * 3 + "a" * 30
GOOD_BUCKETS = ("abc", "photos", "my-photos_2026", "0photos9", "photos.example.com", "a" * 63, LONGEST)
BAD_BUCKETS = (
    *("a", "ab", f"{LONGEST}a", "Photos", "jardín", "my photos", "photos\n.x", "*", "photos:1", "photos/roses"),
    *("gs://photos", "https://photos", "-photos", "photos-", ".photos", "photos.", "_photos", "photos_"),
)
GOOD_TOPICS = (
    "projects/my-project/topics/results",
    "projects/123456789012/topics/abc",
    "projects/example.org:my-project/topics/A._~+%-9",
    f"projects/p/topics/{'t' * 255}",
)
BAD_TOPICS = (
    *("results", "topics/results", "projects/my-project", "projects/my-project/topics/", "projects//topics/results"),
    *("projects/my-project/topics/ab", "projects/my-project/topics/9results", "projects/my-project/topics/google-rs"),
    *("projects/my-project/topics/a/b", "projects/my-project/topics/results:publish", "projects/My/topics/results"),
    *("projects/my-project/subscriptions/results", "projects/my-project/topics/ré sults", "/projects/p/topics/results"),
    *("projects/../topics/results", "projects/-p/topics/results", f"projects/p/topics/{'t' * 256}"),
)
GOOD_SUFFIXES = (
    *(".json", ".JSON", ".species.json", ".jpg.json", ".jsonl", "_result", "-flower", "_jpg", ".x", f".{'j' * 63}"),
)
BAD_SUFFIXES = (
    *(".jpg", ".JPG", ".jPeG", ".png", ".webp", ".gif", ".bmp", ".tif", ".TIFF", ".avif", ".heic", ".Heif"),
    *(".json.jpg", "_.PNG", "json", "x", "3.json", ".", "..", ".json.", "_", "-", "/x", "/x.json", ".a/b", ".json/"),
    *(
        ".js on",
        ".js\ton",
        ".json\n.x",
        ".jsön",
        ".🌹",
        ".j#",
        ".j?",
        ".*",
        "{name}.json",
        ".json,.txt",
        f".{'j' * 64}",
    ),
)

# Variable: its attribute, its default, and good values with what they mean.
GOOD: dict[str, tuple[str, object, dict[str, object]]] = {
    "MODEL_PATH": ("model_path", BUNDLED_MODEL, {str(BUNDLED_MODEL): BUNDLED_MODEL}),
    "TOP_K": ("top_k", 5, {"1": 1, "102": 102}),
    "DEFAULT_LANGUAGE": ("default_language", "en", {"en": "en", "es": "es"}),
    "MAX_IMAGE_BYTES": ("max_image_bytes", 32 * 1024 * 1024, {"1": 1, "1048576": 1_048_576}),
    "MAX_IMAGE_PIXELS": ("max_image_pixels", 250_000_000, {"1": 1, "12000000": 12_000_000}),
    "REJECT_BELOW": ("reject_below", None, {"0": 0.0, "0.25": 0.25, "1": 1.0, "1e-3": 0.001}),
    "CORS_ALLOW_ORIGIN": ("cors_allow_origin", None, {"*": "*", "https://flowers.example": "https://flowers.example"}),
    "LOG_LEVEL": ("log_level", "INFO", {"DEBUG": "DEBUG", "WARNING": "WARNING", "ERROR": "ERROR"}),
    "PIXEL_BUDGET": ("pixel_budget", Settings.pixel_budget, {"1": 1, "200000000": 200_000_000}),
    "RESULT_SUFFIX": ("result_suffix", ".json", {text: text for text in GOOD_SUFFIXES}),
    "RESULT_BUCKET": ("result_bucket", None, {name: name for name in GOOD_BUCKETS}),
    "RESULT_TOPIC": ("result_topic", None, {name: name for name in GOOD_TOPICS}),
    "ARCHIVE_BUCKET": ("archive_bucket", None, {name: name for name in GOOD_BUCKETS}),
    "ARCHIVE_METADATA": ("archive_metadata", "remove", {"remove": "remove", "keep": "keep"}),
    "ALLOWED_BUCKETS": (
        "allowed_buckets",
        (),
        {
            **{name: (name,) for name in GOOD_BUCKETS},
            "photos,more-photos": ("photos", "more-photos"),
            "photos , more.photos\t,  abc": ("photos", "more.photos", "abc"),
        },
    ),
}
NO_WHOLE_NUMBER = ("0", "-1", "1.5", "many", "1e3", "0x10", "5;6", "nan", "inf", "9" * 5000)
BAD: dict[str, tuple[str, ...]] = {
    "MODEL_PATH": ("/no/such/model.onnx", "/", "a" * 300, "/" + "b/" * 3000, "model\0.onnx"),
    "TOP_K": NO_WHOLE_NUMBER,
    "DEFAULT_LANGUAGE": ("fr", "EN", "en,es", "español"),
    "MAX_IMAGE_BYTES": (*NO_WHOLE_NUMBER, "32MiB"),
    "MAX_IMAGE_PIXELS": NO_WHOLE_NUMBER,
    "PIXEL_BUDGET": NO_WHOLE_NUMBER,
    "REJECT_BELOW": ("-0.01", "1.01", "nan", "inf", "-inf", "half", "50%", "0,5"),
    "CORS_ALLOW_ORIGIN": ("flowers.example", "https://a.example\r\nX-Evil: 1", "https://a.example, https://b.example"),
    "LOG_LEVEL": ("LOUD", "NOTSET", "10", "INFO!"),
    "RESULT_SUFFIX": BAD_SUFFIXES,
    "RESULT_BUCKET": (*BAD_BUCKETS, "photos,more-photos"),
    "RESULT_TOPIC": BAD_TOPICS,
    "ARCHIVE_BUCKET": (*BAD_BUCKETS, "photos,more-photos"),
    "ARCHIVE_METADATA": ("KEEP", "yes", "0"),
    "ALLOWED_BUCKETS": (*BAD_BUCKETS, ",", "photos,", ",photos", "photos,,more", "photos;more", "photos,*"),
}


def test_every_setting_has_a_case() -> None:
    attributes = {attribute for attribute, _, _ in GOOD.values()}
    assert attributes == {field.name for field in dataclasses.fields(Settings)}
    assert set(GOOD) == set(BAD)


@pytest.mark.parametrize("variable", GOOD)
@pytest.mark.parametrize("environment", ["unset", "", "  \t"])
def test_unset_or_empty_variable_keeps_the_default(variable: str, environment: str) -> None:
    attribute, default, _ = GOOD[variable]
    settings = Settings.from_environment({} if environment == "unset" else {variable: environment})
    assert getattr(settings, attribute) == default


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [(variable, text, value) for variable, (_, _, values) in GOOD.items() for text, value in values.items()],
)
def test_valid_value_changes_only_its_setting(variable: str, text: str, value: object) -> None:
    settings = Settings.from_environment({variable: f" {text} ", "UNRELATED": "x"})
    attribute = GOOD[variable][0]
    assert getattr(settings, attribute) == value
    assert type(getattr(settings, attribute)) is type(value)
    assert settings == dataclasses.replace(Settings.from_environment({}), **{attribute: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("variable", "text"),
    [pytest.param(variable, text, id=f"{variable}={text[:12]!r}") for variable, texts in BAD.items() for text in texts],
)
def test_invalid_value_fails_startup_with_name(variable: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable}=") as caught:
        Settings.from_environment({variable: text})
    assert repr(text)[1:10] in str(caught.value)
    assert "should be" in str(caught.value)


@pytest.mark.parametrize("variable", ["WORKERS", "THREADS"])
@pytest.mark.parametrize("text", ["0", "-1", "many"])
def test_invalid_framework_variable_is_named(variable: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable}='{text}': should be"):
        Settings.from_environment({variable: text})


def test_settings_accept_any_model_file(tmp_path: Path) -> None:
    file = tmp_path / "other.onnx"
    file.write_bytes(b"")
    assert Settings.from_environment({"MODEL_PATH": str(file)}).model_path == file


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().top_k = 3  # type: ignore[misc]


def test_bundled_model_exists() -> None:
    assert BUNDLED_MODEL.is_file()
