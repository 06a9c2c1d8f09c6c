# Text, a megabyte of bytes, a ping, and an orderly end.
import asyncio
import sys

import websockets


async def main():
    async with websockets.connect(sys.argv[1], max_size=None, subprotocols=["chat"]) as socket:
        assert socket.subprotocol == "chat", socket.subprotocol
        for message in ["hello", bytes(range(256)) * 4096]:
            await socket.send(message)
            assert await socket.recv() == message
        await (await socket.ping())
        await socket.close(code=4000, reason="done")
        print("closed", socket.close_code, socket.close_reason)


asyncio.run(asyncio.wait_for(main(), 20))
