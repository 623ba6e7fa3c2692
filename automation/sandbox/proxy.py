"""A CONNECT proxy that leads the vendors' host names to the stand-ins, and nothing else anywhere.

n8n's native nodes call fixed hosts, but honour HTTPS_PROXY and NODE_EXTRA_CA_CERTS: behind this proxy, with a
certificate of our own authority, they reach the stand-ins unchanged.
"""

import asyncio
import contextlib

HOSTS = ("api.hubapi.com", "slack.com", "api.pipedrive.com")
CHUNK_BYTES = 65_536
HEAD_SECONDS = 10


class ConnectProxy:
    """Tunnels `CONNECT host:443` for the hosts above to one local TLS port; 403 for all others."""

    def __init__(self, tls_port: int) -> None:
        self._tls_port = tls_port

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from CONNECT to its end."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError, asyncio.LimitOverrunError):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_SECONDS)
            method, _, rest = head.decode("latin-1").partition(" ")
            host = rest.split(" ", 1)[0].rsplit(":", 1)[0]
            if method != "CONNECT" or host not in HOSTS:
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
            else:
                await self._tunnel(reader, writer)
        writer.close()

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._tls_port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        await asyncio.gather(_pipe(reader, far_writer), _pipe(far_reader, writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    writer.close()
