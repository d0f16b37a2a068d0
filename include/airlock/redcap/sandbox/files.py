"""Files that are kept in fields of type `file`, and the forms that bring them (`multipart/form-data`, RFC 7578)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import parse_qsl

from airlock.redcap.sandbox.events import CLASSIC, WHOLE
from airlock.redcap.sandbox.places import BadRequest, Place
from airlock.redcap.sandbox.records import Records

FILE, FILE_NAME = "file", "file_name"
NOTHING = "There is no file to download for this record"


@dataclass
class Files:
    """The files of a project, by place and field. They are kept in memory only."""

    records: Records
    stored: dict[tuple[Place, str], tuple[str, bytes]] = field(default_factory=dict)

    def export(self, form: Mapping[str, str]) -> tuple[str, bytes]:
        """Return name and content of a file.

        :raises BadRequest: when there is none.
        """
        found = self.stored.get(self._key(form))
        if found is None:
            raise BadRequest(NOTHING)
        return found

    def load(self, form: Mapping[str, str]) -> None:
        """Keep a file in place of what the field had.

        :raises BadRequest: when the call brings none.
        """
        key = self._key(form)
        if FILE not in form:
            raise BadRequest("No valid file was uploaded")
        self.stored[key] = form.get(FILE_NAME, "file"), form[FILE].encode("latin-1")
        self.records.keep_file(*key, "[document]")

    def delete(self, form: Mapping[str, str]) -> None:
        """Delete a file.

        :raises BadRequest: when there is none.
        """
        key = self._key(form)
        if self.stored.pop(key, None) is None:
            raise BadRequest("There is no file to delete for this record")
        self.records.keep_file(*key, "")

    def _key(self, form: Mapping[str, str]) -> tuple[Place, str]:
        name, record = form.get("field", ""), form.get("record", "")
        item = self.records.dictionary.by_name.get(name)
        if item is None or item.kind != "file":
            raise BadRequest(f"The field '{name}' does not exist or is not a 'file' field")
        if not any(place.record == record for place in self.records.values):
            raise BadRequest(f"The record '{record}' does not exist")
        events = self.records.dictionary.events
        event = form.get("event", "") if events.longitudinal else CLASSIC
        if item.form not in events.forms.get(event, ()):
            raise BadRequest(f"The event '{event}' does not exist or has no such field")
        whole = events.repeats_whole(event)
        if not whole and not events.repeats(event, item.form):
            return Place(record, event), name
        instance = form.get("repeat_instance", "") or "1"
        if not instance.isdecimal():
            raise BadRequest('The value of the parameter "repeat_instance" is not valid')
        return Place(record, event, WHOLE if whole else item.form, int(instance)), name


def read_form(body: bytes, content_type: str) -> dict[str, str]:
    """Read a call: urlencoded, or with a file in it, whose bytes become the characters of the same numbers."""
    if "multipart/form-data" not in content_type:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    form: dict[str, str] = {}
    for part in message.iter_parts():
        name = str(part.get_param("name", "", header="content-disposition"))
        payload = part.get_payload(decode=True)
        content = payload if isinstance(payload, bytes) else b""
        form[name] = content.decode("latin-1") if name == FILE else content.decode("utf-8", "replace")
        if name == FILE:
            form[FILE_NAME] = part.get_filename() or "file"
    return form
