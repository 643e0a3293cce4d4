# gRPC by Google's own library: a server, and a client that says what it saw.
#
# grpc_peer.py serve HOST:PORT          prints {"serving": true}; ends when its standard input does
# grpc_peer.py call HOST:PORT COOKIE    makes the calls below and prints what came of each as JSON
#
# Messages are bytes as they are: what a .proto would add is none of a proxy's business.

import json
import sys
import threading
from concurrent import futures

import grpc

PATH = "/test.Echo/"


def serve(address):
    cancelled = threading.Event()

    def seen(context):
        return {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}

    def unary(request, context):
        context.send_initial_metadata((("x-initial", "early"),))
        context.set_trailing_metadata((("x-trailing", "late"), ("x-bytes-bin", b"\x00\xff")))
        return json.dumps({"got": len(request), "metadata": seen(context)}).encode()

    def refuse(request, context):
        context.set_trailing_metadata((("x-why", "because"),))
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not like this: 100 % ü")

    def count(request, context):
        for n in range(int(request)):
            yield str(n).encode()

    def total(requests, context):
        return str(sum(len(request) for request in requests)).encode()

    def talk(requests, context):
        for request in requests:
            yield b"heard " + request

    def wait(request, context):
        context.add_callback(cancelled.set)
        cancelled.wait()
        return b""

    def was_cancelled(request, context):
        return str(cancelled.wait(timeout=10)).encode()

    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Refuse": grpc.unary_unary_rpc_method_handler(refuse),
        "Count": grpc.unary_stream_rpc_method_handler(count),
        "Total": grpc.stream_unary_rpc_method_handler(total),
        "Talk": grpc.stream_stream_rpc_method_handler(talk),
        "Wait": grpc.unary_unary_rpc_method_handler(wait),
        "WasCancelled": grpc.unary_unary_rpc_method_handler(was_cancelled),
    }
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", handlers),))
    assert server.add_insecure_port(address)
    server.start()
    print(json.dumps({"serving": True}), flush=True)
    sys.stdin.read()
    server.stop(None)


def text(metadata):
    return {key: value.hex() if isinstance(value, bytes) else value for key, value in metadata or ()}


def call(address, cookie):
    def say(what, **result):
        print(json.dumps({"call": what, **result}), flush=True)

    with grpc.insecure_channel(address, options=(("grpc.enable_http_proxy", 0),)) as channel:
        unary = channel.unary_unary(PATH + "Unary")
        try:
            unary(b"", timeout=10)
        except grpc.RpcError as error:
            say("anonymous", code=error.code().name)

        signed_in = (("cookie", cookie), ("x-own", "mine"))
        answer, done = unary.with_call(b"x" * 3_000_000, metadata=signed_in, timeout=10)
        said = json.loads(answer)
        say("unary", **said, initial=text(done.initial_metadata()), trailing=text(done.trailing_metadata()))

        try:
            channel.unary_unary(PATH + "Refuse")(b"", metadata=signed_in, timeout=10)
        except grpc.RpcError as error:
            say("refuse", code=error.code().name, details=error.details(), trailing=text(error.trailing_metadata()))
        try:
            channel.unary_unary(PATH + "NoSuchMethod")(b"", metadata=signed_in, timeout=10)
        except grpc.RpcError as error:
            say("unknown", code=error.code().name)

        counted = list(channel.unary_stream(PATH + "Count")(b"1000", metadata=signed_in, timeout=10))
        say("count", messages=len(counted), last=counted[-1].decode())

        parts = (b"y" * 100_000 for _ in range(50))
        say("total", bytes=channel.stream_unary(PATH + "Total")(parts, metadata=signed_in, timeout=10).decode())

        # Each word is said only when the one before it has come back.
        heard = threading.Semaphore(1)

        def words():
            for n in range(500):
                heard.acquire()
                yield str(n).encode()

        answers = []
        for answer in channel.stream_stream(PATH + "Talk")(words(), metadata=signed_in, timeout=30):
            answers.append(answer.decode())
            heard.release()
        say("talk", messages=len(answers), last=answers[-1])

        # As many at once as a busy client has on one connection.
        at_once = [unary.future(b"z", metadata=signed_in, timeout=20) for _ in range(200)]
        say("at once", answered=sum(json.loads(one.result())["got"] == 1 for one in at_once))

        try:
            channel.unary_unary(PATH + "Wait")(b"", metadata=signed_in, timeout=0.3)
        except grpc.RpcError as error:
            say("deadline", code=error.code().name)
        heard_of_it = channel.unary_unary(PATH + "WasCancelled")(b"", metadata=signed_in, timeout=15)
        say("cancelled", heard=heard_of_it.decode())


if sys.argv[1] == "serve":
    serve(sys.argv[2])
else:
    call(sys.argv[2], sys.argv[3])
