"""Answers gRPC calls with what arrived and who answered.

Gateway API: conformance/echo-basic/grpcecho.proto, whose service this is.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from serai.echo.request import EchoAnswer, EchoRequest

CONTENT_TYPE = "application/grpc"
SERVICE = "gateway_api_conformance.echo_basic.grpcecho.GrpcEcho"
METHODS = ("Echo", "EchoTwo")
"""Those that answer; EchoThree is in the service but not implemented, on purpose."""

OK, UNIMPLEMENTED = 0, 12
_PREFIX = 5
"""Bytes before a message: whether it is compressed, and its length."""

_MESSAGES = {
    "Header": ("key", "value"),
    "Context": ("namespace", "ingress", "service_name", "pod"),
    "TLSAssertions": (
        "version",
        "negotiated_protocol",
        "server_name",
        "cipher_suite",
        "*peer_certificates",
    ),
    "Assertions": (
        "fully_qualified_method",
        "*headers Header",
        "authority",
        "context Context",
        "tls_assertions TLSAssertions",
    ),
    "EchoRequest": (),
    "EchoResponse": ("assertions Assertions", "request EchoRequest"),
}
"""Fields in the order of their numbers, from 1: ``*`` repeated, a message's name, else a string."""


def grpc_answer(request: EchoRequest) -> EchoAnswer:
    """The answer to a call; status 12 (unimplemented) for methods that nobody answers."""
    head = ("content-type", CONTENT_TYPE)
    service, _, method = request.target.removeprefix("/").rpartition("/")
    if service != SERVICE or method not in METHODS:
        message = f"{request.target} is not implemented"
        status = (("grpc-status", str(UNIMPLEMENTED)), ("grpc-message", message))
        return EchoAnswer(headers=(head, *status))
    body = framed(_response(request).SerializeToString())
    return EchoAnswer(headers=(head,), body=body, trailers=(("grpc-status", str(OK)),))


def framed(message: bytes) -> bytes:
    """A message as it goes on the wire, uncompressed."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def decoded(response: bytes) -> Any:
    """An EchoResponse from its bytes.  google.protobuf.message.DecodeError for other bytes."""
    return GetMessageClass(_pool.FindMessageTypeByName(_name("EchoResponse"))).FromString(response)


def _response(request: EchoRequest) -> Message:
    response: Any = GetMessageClass(_pool.FindMessageTypeByName(_name("EchoResponse")))()
    assertions = response.assertions
    assertions.fully_qualified_method = request.target
    assertions.authority = request.authority
    for name, value in request.headers:
        assertions.headers.add(key=name, value=value)
    identity = request.endpoint.identity
    assertions.context.namespace = identity.namespace
    assertions.context.ingress = identity.ingress
    assertions.context.service_name = identity.service
    assertions.context.pod = identity.pod
    if request.tls is not None:
        told = assertions.tls_assertions
        told.version = request.tls["version"]
        told.negotiated_protocol = request.tls["negotiatedProtocol"]
        told.server_name = request.tls["serverName"]
        told.cipher_suite = request.tls["cipherSuite"]
        told.peer_certificates.extend(request.tls["peerCertificates"])
    found: Message = response
    return found


def _name(message: str) -> str:
    return f"{SERVICE.rpartition('.')[0]}.{message}"


def _described() -> DescriptorPool:
    file = FileDescriptorProto(
        name="serai/grpcecho.proto", package=SERVICE.rpartition(".")[0], syntax="proto3"
    )
    for message, fields in _MESSAGES.items():
        described = file.message_type.add(name=message)
        for number, field in enumerate(fields, 1):
            name, _, kind = field.removeprefix("*").partition(" ")
            described.field.add(
                name=name,
                number=number,
                label=FieldDescriptorProto.LABEL_REPEATED
                if field.startswith("*")
                else FieldDescriptorProto.LABEL_OPTIONAL,
                type=FieldDescriptorProto.TYPE_MESSAGE
                if kind
                else FieldDescriptorProto.TYPE_STRING,
                type_name=f".{_name(kind)}" if kind else None,
            )
    pool = DescriptorPool()
    pool.Add(file)
    return pool


_pool = _described()
