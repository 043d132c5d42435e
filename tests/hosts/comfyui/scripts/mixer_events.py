"""The events a browser hears of one run: `python … URL PROMPT`."""

import asyncio
import json
import sys

import aiohttp
from script_parts import tell


async def main(url, prompt):
    found = []
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}/ws?clientId=mixer") as socket:
        answer = await session.post(f"{url}/prompt", json={"prompt": json.loads(prompt), "client_id": "mixer"})
        assert answer.status == 200, await answer.text()
        async for message in socket:
            event = json.loads(message.data) if message.type == aiohttp.WSMsgType.TEXT else {}
            found += [event] if event.get("type") in ("supsae.mixer", "execution_error") else []
            if event.get("type") in ("execution_success", "execution_error"):
                break
    tell(found)


asyncio.run(main(*sys.argv[1:]))
