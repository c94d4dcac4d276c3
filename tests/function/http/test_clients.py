"""Test requests as browsers, phones, command lines and libraries really send them."""

import base64
import gzip
import json
import shutil
import subprocess
import urllib.parse
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.support.drawn_flower import draw_flower, encode
from tests.support.http_contract import ask, client_with, json_request, multipart, part, post, post_unannounced
from tests.support.server_process import serving

# In base64 it has `+`, `/` and padding.
PHOTO = next(
    data
    for data in (encode(draw_flower(width, 48), "PNG") for width in range(64, 99))
    if {"+", "/", "="} <= set(base64.b64encode(data).decode())
)
TEXT = base64.b64encode(PHOTO).decode()
URL_SAFE = base64.urlsafe_b64encode(PHOTO).decode()
BASE64 = {
    "data URL": f"data:image/png;base64,{TEXT}",
    "data URL with a parameter": f"DATA:image/png;name=rose.png;BASE64,{TEXT}",
    "data URL without a type": f"data:;base64,{TEXT}",
    "url-safe": URL_SAFE,
    "no padding": TEXT.rstrip("="),
    "url-safe, no padding": URL_SAFE.rstrip("="),
    "lines of 76": base64.encodebytes(PHOTO).decode(),
    "lines of 64, CRLF": "\r\n".join(TEXT[start : start + 64] for start in range(0, len(TEXT), 64)),
    "data URL in lines": f"data:image/png;base64,\n{base64.encodebytes(PHOTO).decode()}",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Provide the address of the function in a server of its own."""
    with serving(tmp_path_factory.mktemp("log")) as port:
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Return a photo in a file."""
    path = tmp_path / "rose.png"
    path.write_bytes(PHOTO)
    return path


def curl(*arguments: str, body: bytes = b"") -> dict[str, object]:
    """Return the document that curl gets."""
    program = shutil.which("curl")
    if program is None:
        pytest.skip("needs curl")
    run = subprocess.run([program, "--silent", "--show-error", *arguments], input=body, capture_output=True, check=True)
    document: dict[str, object] = json.loads(run.stdout)
    return document


@pytest.mark.parametrize("name", BASE64)
def test_base64_in_each_form_is_classified(client: FlaskClient, name: str) -> None:
    for request in ({"image": {"content": BASE64[name]}}, {"image": BASE64[name]}):
        reply = post(client, json.dumps(request).encode(), "application/json")
        assert (reply.status, reply.document.get("image", {}).get("bytes")) == (200, len(PHOTO))


def test_data_url_as_the_body_is_classified(client: FlaskClient) -> None:
    for content_type in ("text/plain;charset=UTF-8", None):
        assert post(client, f"data:image/png;base64,{TEXT}".encode(), content_type).status == 200


@pytest.mark.parametrize(
    ("text", "word"),
    [(f"data:image/svg+xml,{TEXT}", "data URL"), ("data:image/png;base64", "data URL"), ("A*==", "base64")],
)
def test_base64_that_is_broken_is_named(client: FlaskClient, text: str, word: str) -> None:
    reply = post(client, json.dumps({"image": text}).encode(), "application/json")
    assert (reply.status, reply.reason) == (400, "MALFORMED_REQUEST")
    assert word in reply.document["error"]["message"]


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "application/x-www-form-urlencoded",
        "application/octet-stream",
        "application/vnd.api+json",
        "text/plain;charset=UTF-8",
        "text/json",
        "image/jpeg",
    ],
)
def test_json_under_another_type_is_read_as_json(client: FlaskClient, content_type: str | None) -> None:
    for body in (json_request(PHOTO), b"\xef\xbb\xbf \r\n" + json_request(PHOTO)):
        for send in (post, post_unannounced):
            reply = send(client, body, content_type)
            assert (reply.status, reply.document.get("image", {}).get("bytes")) == (200, len(PHOTO))
    reply = post(client, b'{"picture": 1}', content_type)
    assert (reply.status, reply.reason) == (400, "MALFORMED_REQUEST")


def test_json_of_the_largest_image_is_accepted() -> None:
    client = client_with(max_image_bytes=len(PHOTO))
    assert post(client, json_request(PHOTO), "text/plain").status == 200
    assert post(client, json_request(PHOTO + b"\0"), "text/plain").reason == "IMAGE_TOO_LARGE"


def test_curl_with_json_needs_no_type(server: str) -> None:
    assert curl("-d", "@-", server, body=json_request(PHOTO))["schema"] == "flowers.result/v1"


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_curl_d_of_a_photo_names_data_binary(server: str, tmp_path: Path, format: str) -> None:
    path = tmp_path / "photo"
    path.write_bytes(encode(draw_flower(), format))
    document = curl("-d", f"@{path}", server)
    assert "--data-binary" in str(document["error"])
    assert curl("--data-binary", f"@{path}", server)["schema"] == "flowers.result/v1"


@pytest.mark.parametrize(
    "form", ["image=@{}", "file=@{}", "images=@{}", "image[]=@{}", "files[0]=@{}", "Photo=@{}", "upload=@{};type=x/y"]
)
def test_curl_form_takes_the_usual_names(server: str, photo: Path, form: str) -> None:
    assert curl("--globoff", "-F", form.format(photo), server)["schema"] == "flowers.result/v1"


@pytest.mark.parametrize(
    "name", ["image", "images", "image[]", "images[]", "image[0]", "IMAGE", "file", "files", "file[]"]
)
def test_form_with_several_files_keeps_their_order(client: FlaskClient, name: str) -> None:
    photos = [encode(draw_flower(width, 40), "PNG") for width in (41, 42)]
    reply = post(client, *multipart(part(b"x", name="other"), *(part(photo, name=name) for photo in photos)))
    assert [result["image"]["width"] for result in reply.document["results"]] == [41, 42]


def test_files_named_image_come_before_file(client: FlaskClient) -> None:
    reply = post(client, *multipart(part(b"x", name="file"), part(PHOTO)))
    assert (reply.status, reply.document["image"]["bytes"]) == (200, len(PHOTO))


def test_part_with_only_an_image_type_is_a_file(client: FlaskClient) -> None:
    for name in ("image", "anything"):
        head = f'Content-Disposition: form-data; name="{name}"\r\nContent-Type: image/png\r\n\r\n'.encode()
        reply = post(client, *multipart(part(b"my rose", name="comment", filename=None), head + PHOTO))
        assert (reply.status, reply.document["image"]["bytes"]) == (200, len(PHOTO))


def test_form_with_files_of_other_names_tells_them(client: FlaskClient) -> None:
    reply = post(client, *multipart(part(PHOTO, name="one"), part(PHOTO, name="two")))
    assert (reply.status, reply.reason) == (400, "MALFORMED_REQUEST")
    assert "'one', 'two'" in reply.document["error"]["message"]


def test_form_without_boundary_is_told_so(client: FlaskClient) -> None:
    body, _ = multipart(part(PHOTO))
    reply = post(client, body, "multipart/form-data")
    assert (reply.status, reply.reason) == (400, "MALFORMED_REQUEST")
    assert "boundary" in reply.document["error"]["message"]


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
def test_gzip_body_is_decoded_in_every_form(client: FlaskClient, encoding: str) -> None:
    form, form_type = multipart(part(PHOTO))
    for body, content_type in ((PHOTO, "image/png"), (json_request(PHOTO), "application/json"), (form, form_type)):
        reply = ask(
            client, "POST", "/", gzip.compress(body), content_type=content_type, headers={"Content-Encoding": encoding}
        )
        assert (reply.status, reply.document["image"]["bytes"]) == (200, len(PHOTO))


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "aws-chunked", "gzip, gzip"])
def test_other_encodings_are_refused_by_name(client: FlaskClient, encoding: str) -> None:
    reply = ask(client, "POST", "/", zlib.compress(PHOTO), headers={"Content-Encoding": encoding})
    assert (reply.status, reply.reason) == (400, "MALFORMED_REQUEST")
    assert encoding in reply.document["error"]["message"]


def test_invalid_gzip_is_refused(client: FlaskClient) -> None:
    for body in (PHOTO, gzip.compress(PHOTO)[:-9], b""):
        reply = ask(client, "POST", "/", body, headers={"Content-Encoding": "gzip"})
        assert (reply.status, reply.reason) == (400, "MALFORMED_REQUEST")
        assert "gzip" in reply.document["error"]["message"]


def test_gzip_is_unpacked_to_the_limit_only(client: FlaskClient) -> None:
    body = gzip.compress(bytes(60 * 1024 * 1024))
    reply = ask(client, "POST", "/", body, headers={"Content-Encoding": "gzip"})
    assert (reply.status, reply.reason) == (413, "IMAGE_TOO_LARGE")


def test_url_encoded_form_names_multipart(client: FlaskClient) -> None:
    body = urllib.parse.urlencode({"image": TEXT}).encode()
    reply = post(client, body, "application/x-www-form-urlencoded")
    assert (reply.status, reply.reason) == (400, "MALFORMED_REQUEST")
    assert "multipart/form-data" in reply.document["error"]["message"]
