# Calls one kind of method and tells what came. In `both`, each message is sent only when the last one has come back.
import queue
import sys

import grpc

target, kind = sys.argv[1:]
channel = grpc.insecure_channel(target)
limit = {"timeout": 20, "wait_for_ready": True}

if kind == "unary":
    call = channel.unary_unary("/test.Test/Unary")
    print(call(b"world", **limit).decode())
elif kind == "error":
    try:
        channel.unary_unary("/test.Test/Unary")(b"fail", **limit)
    except grpc.RpcError as error:
        print(error.code().name, error.details(), dict(error.trailing_metadata())["why"])
elif kind == "client_stream":
    messages = (b"x" * 10_000 for _ in range(300))
    print(channel.stream_unary("/test.Test/ClientStream")(messages, **limit).decode())
elif kind == "server_stream":
    print(sum(len(message) for message in channel.unary_stream("/test.Test/ServerStream")(b"10", **limit)))
else:
    waiting = queue.Queue()
    call = channel.stream_stream("/test.Test/Both")(iter(waiting.get, None), **limit)
    for number in range(20):
        waiting.put(str(number).encode())
        assert next(call) == b"echo " + str(number).encode()
    waiting.put(None)
    assert list(call) == []
    print("20 there and back,", call.code().name)
