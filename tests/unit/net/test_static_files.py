"""net/static_files.py: files with their header fields, and values that are filled into pages."""

from pathlib import Path

from gateway.net.static_files import PAGE_POLICY, static_file, static_files


def test_a_file_has_its_type_a_tag_and_a_strict_policy() -> None:
    file = static_file("page.js", b"1")
    fields = dict(file.fields)
    assert (file.body, fields["Content-Type"], fields["ETag"]) == (b"1", "text/javascript; charset=utf-8", file.tag)
    assert fields["Content-Security-Policy"] == PAGE_POLICY
    assert "unsafe" not in PAGE_POLICY
    assert fields["X-Content-Type-Options"] == "nosniff"
    assert static_file("page.js", b"2").tag != file.tag == static_file("page.css", b"1").tag


def test_a_folder_is_read_and_values_are_filled_into_its_pages(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<p>{{name}}{{other}}</p>")
    (tmp_path / "page.css").write_text("a{b:{{name}}}")
    (tmp_path / "notes.txt").write_text("not served")
    found = static_files(tmp_path, {"name": b"x"})
    assert {name: file.body for name, file in found.items()} == {
        "page.html": b"<p>x{{other}}</p>",
        "page.css": b"a{b:{{name}}}",
    }
    assert static_files(tmp_path)["page.html"].body == b"<p>{{name}}{{other}}</p>"
