# Sends every message back.
import asyncio

import websockets


async def echo(socket):
    async for message in socket:
        await socket.send(message)
    await socket.wait_closed()


async def main():
    async with websockets.serve(echo, None, 8080, max_size=None, subprotocols=["chat"]):
        await asyncio.Future()


asyncio.run(main())
