"""A stock server of python3-grpcio, which is gRPC's C core.

It answers a call with the bytes that it got, and does what the metadata x-do says; see package servers. It tells about each call
on stdout, takes commands on stdin, and ends with it.
"""

import base64
import json
import os
import sys
import threading
from concurrent import futures

import grpc

config = json.loads(sys.argv[1])
stdout = threading.Lock()


def tell(**event):
    with stdout:
        print(json.dumps(event), flush=True)


def field(number, data):
    """The wire format of protobuf: a field with a length before it."""
    head, length = [number << 3 | 2], len(data)
    while length > 127:
        head.append(length & 127 | 128)
        length >>= 7
    return bytes(head + [length]) + data


def begin(context, path):
    """Returns what x-do asks for ("fail times=3" is {"fail": 1, "times": 3}), and what is set when the call is over."""
    metadata = {}
    for key, value in context.invocation_metadata():
        metadata.setdefault(key, []).append(value if isinstance(value, str) else value.decode("latin1"))

    call = metadata.get("x-call", [""])[0]
    over = threading.Event()
    ended = []

    def end():
        over.set()
        if not ended:
            tell(event="cancelled", call=call)

    # It does not know :authority.
    tell(event="begin", call=call, path=path, left=int((context.time_remaining() or 0) * 1000), metadata=metadata)
    if not context.add_callback(end):
        end()

    wish = dict((word.split("=") + ["1"])[:2] for word in metadata.get("x-do", [""])[0].split())
    wish = {key: int(value) for key, value in wish.items()}

    if "gzip" in wish:
        context.set_compression(grpc.Compression.Gzip)
    if "fail" not in wish or "times" in wish:
        context.send_initial_metadata([("x-tag-bin", b"\x00\xff\n")])

    return wish, over, ended


def finish(context, wish, over, ended):
    if "fail" in wish:
        ended.append(True)
        context.set_trailing_metadata([("grpc-status-details-bin", base64.b64decode(config["details"]))])
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no more")
    if "hang" in wish:
        over.wait()
        context.abort(grpc.StatusCode.CANCELLED, "nobody waits for it")
    ended.append(True)


def padded(message, wish):
    return message + field(15, bytes(wish["size"])) if "size" in wish else message


def unary(path):
    def serve(request, context):
        wish, over, ended = begin(context, path)
        finish(context, wish, over, ended)
        return padded(request, wish)

    return grpc.unary_unary_rpc_method_handler(serve)


def server_stream(path):
    def serve(request, context):
        wish, over, ended = begin(context, path)
        for _ in range(wish.get("times", 0)):
            yield padded(request, wish)
        finish(context, wish, over, ended)

    return grpc.unary_stream_rpc_method_handler(serve)


def client_stream(path):
    def serve(requests, context):
        wish, over, ended = begin(context, path)
        reply = b"".join(field(1, request) for request in requests)
        finish(context, wish, over, ended)
        return reply

    return grpc.stream_unary_rpc_method_handler(serve)


def bidi(path):
    def serve(requests, context):
        wish, over, ended = begin(context, path)
        for request in requests:
            yield padded(request, wish)
        finish(context, wish, over, ended)

    return grpc.stream_stream_rpc_method_handler(serve)


class Health:
    """grpc.health.v1; field 1 is the status."""

    def __init__(self, status):
        self.status = status
        self.changed = threading.Condition()

    def set(self, status):
        with self.changed:
            self.status = status
            self.changed.notify_all()

    def check(self, _, context):
        return bytes([8, self.status])

    def watch(self, _, context):
        tell(event="watch")
        context.add_callback(lambda: self.set(self.status))
        said = None
        while context.is_active() and self.status:
            if said != self.status:
                said = self.status
                yield bytes([8, said])
            with self.changed:
                self.changed.wait_for(lambda: said != self.status or not context.is_active())


class Handlers(grpc.GenericRpcHandler):
    def __init__(self, handlers):
        self.handlers = handlers

    def service(self, details):
        return self.handlers.get(details.method)


kinds = {"unary": unary, "serverStream": server_stream, "clientStream": client_stream, "bidi": bidi}
handlers = {path: kinds[kind](path) for path, kind in config["methods"].items()}
health = Health(config["health"])
if config["health"]:
    handlers["/grpc.health.v1.Health/Check"] = grpc.unary_unary_rpc_method_handler(health.check)
    handlers["/grpc.health.v1.Health/Watch"] = grpc.unary_stream_rpc_method_handler(health.watch)

server = grpc.server(futures.ThreadPoolExecutor(max_workers=400), options=list(config["options"].items()))
server.add_generic_rpc_handlers([Handlers(handlers)])


def pem(name):
    with open(config["tls"][name], "rb") as file:
        return file.read()


if config.get("tls"):
    credentials = grpc.ssl_server_credentials([(pem("key"), pem("cert"))], pem("ca"), config["tls"]["mutual"])
    port = server.add_secure_port(config["address"], credentials)
else:
    port = server.add_insecure_port(config["address"])

server.start()
tell(event="listening", port=port)

for line in sys.stdin:
    command, _, value = line.strip().partition(" ")
    if command == "health":
        health.set(int(value))
    if command == "stop":
        server.stop(grace=None).wait()
        break
    if command == "drain":
        health.set(0)  # Ends those who watch.
        server.stop(grace=30).wait()
        break

os._exit(0)  # Without waiting for threads.
