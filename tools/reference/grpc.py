"""docs/reference/grpc.md, from the comments of protos/."""

import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

from tools.reference.markdown import link, page, table

INTRODUCTION = """
What the services say to each other. Every service also answers `grpc.health.v1.Health` and reflection. Each call has a deadline, and
carries `x-request-id` and the caller's name; where `OPENMANAGER_SERVICE_TOKEN` is set, the token too. Errors are `google.rpc.Status`
with one `ErrorInfo` whose reason is an UPPER_SNAKE name, and `BadRequest` for wrong fields. The source is `protos/`; a contract that
has been released is only ever added to.
"""
# Numbers of fields in descriptor.proto, by which comments are found.
_MESSAGES, _ENUMS, _SERVICES = 4, 5, 6
_MEMBERS, _NESTED = 2, 3
_TYPES = {
    FieldDescriptorProto.TYPE_DOUBLE: "double",
    FieldDescriptorProto.TYPE_FLOAT: "float",
    FieldDescriptorProto.TYPE_INT64: "int64",
    FieldDescriptorProto.TYPE_UINT64: "uint64",
    FieldDescriptorProto.TYPE_INT32: "int32",
    FieldDescriptorProto.TYPE_UINT32: "uint32",
    FieldDescriptorProto.TYPE_BOOL: "bool",
    FieldDescriptorProto.TYPE_STRING: "string",
    FieldDescriptorProto.TYPE_BYTES: "bytes",
}


def grpc_page(root: Path, buf: Path) -> str:
    """The whole page; `buf` is the program that compiles the protos of `root` with their comments."""
    image = subprocess.run([buf, "build", root / "protos", "-o", "-"], check=True, capture_output=True).stdout
    files = [file for file in FileDescriptorSet.FromString(image).file if file.package.startswith("openmanager.")]
    sections: list[str] = []
    for file in sorted(files, key=lambda file: file.name):
        sections += _File(file).sections()
    return page("gRPC API", INTRODUCTION, sections)


class _File:
    """One .proto file and its comments by path, as descriptor.proto's SourceCodeInfo has them."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self._file = file
        self._comments = {
            tuple(location.path): " ".join(location.leading_comments.split()) for location in file.source_code_info.location
        }

    def sections(self) -> Iterable[str]:
        """Heading, services, messages and enumerations."""
        yield f"## {self._file.package}"
        for k, service in enumerate(self._file.service):
            yield from self._service(service, (_SERVICES, k))
        for k, message in enumerate(self._file.message_type):
            yield from self._message(message, (_MESSAGES, k))
        for k, enumeration in enumerate(self._file.enum_type):
            yield from self._enumeration(enumeration, (_ENUMS, k))

    def _service(self, service: ServiceDescriptorProto, path: Sequence[int]) -> Iterable[str]:
        yield f"### {service.name}"
        yield self._comment(path)
        yield table(
            ("method", "takes", "gives", "what"),
            [
                (
                    f"`{method.name}`",
                    ("stream of " if method.client_streaming else "") + _named(method.input_type),
                    ("stream of " if method.server_streaming else "") + _named(method.output_type),
                    self._comment((*path, _MEMBERS, k)),
                )
                for k, method in enumerate(service.method)
            ],
        )

    def _message(self, message: DescriptorProto, path: Sequence[int]) -> Iterable[str]:
        yield f"### {message.name}"
        yield self._comment(path)
        maps = {nested.name: nested for nested in message.nested_type if nested.options.map_entry}
        rows = [
            (f"`{field.name}`", _field(message, field, maps), self._comment((*path, _MEMBERS, k)))
            for k, field in enumerate(message.field)
        ]
        if rows:
            yield table(("field", "type", "what"), rows)
        for k, nested in enumerate(message.nested_type):
            if nested.name not in maps:
                yield from self._message(nested, (*path, _NESTED, k))

    def _enumeration(self, enumeration: EnumDescriptorProto, path: Sequence[int]) -> Iterable[str]:
        yield f"### {enumeration.name}"
        yield self._comment(path)
        yield table(
            ("value", "what"),
            [(f"`{value.name}`", self._comment((*path, _MEMBERS, k))) for k, value in enumerate(enumeration.value)],
        )

    def _comment(self, path: Sequence[int]) -> str:
        return self._comments.get(tuple(path), "")


def _field(message: DescriptorProto, field: FieldDescriptorProto, maps: dict[str, DescriptorProto]) -> str:
    if entry := maps.get(field.type_name.rpartition(".")[2]):
        return f"{_value(entry.field[1])} by {_value(entry.field[0])}"
    kind = _value(field)
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return f"repeated {kind}"
    if field.proto3_optional:
        return f"optional {kind}"
    if field.HasField("oneof_index"):
        return f"{kind}, one of `{message.oneof_decl[field.oneof_index].name}`"
    return kind


def _value(field: FieldDescriptorProto) -> str:
    return _named(field.type_name) if field.type_name else _TYPES[field.type]


def _named(full_name: str) -> str:
    """Our own types are on this page; those of Google are known by their name."""
    name = full_name.removeprefix(".")
    return link(name.rpartition(".")[2]) if name.startswith("openmanager.") else f"`{name}`"
