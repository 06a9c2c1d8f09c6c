# All four kinds of method, on bytes, so that no code has to be generated.
from concurrent import futures

import grpc


def unary(request, context):
    if request == b"fail":
        context.set_trailing_metadata((("why", "asked"),))
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "as asked")
    return b"hello " + request


def client_stream(requests, context):
    return str(sum(len(request) for request in requests)).encode()


def server_stream(request, context):
    for number in range(int(request)):
        yield str(number).encode() * 1000


def both(requests, context):
    for request in requests:
        yield b"echo " + request


methods = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "ClientStream": grpc.stream_unary_rpc_method_handler(client_stream),
    "ServerStream": grpc.unary_stream_rpc_method_handler(server_stream),
    "Both": grpc.stream_stream_rpc_method_handler(both),
}
server = grpc.server(futures.ThreadPoolExecutor(8))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Test", methods),))
server.add_insecure_port("[::]:50051")
server.start()
server.wait_for_termination()
