"""Runs the stand-ins: plain HTTP for the SDKs, and TLS behind the CONNECT proxy for n8n's native nodes."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Host, Mount, Router
from starlette.types import ASGIApp

from automation.sandbox import clearbit, control, hunter, page, slack
from automation.sandbox.http import WithTransport
from automation.sandbox.hubspot import routes as hubspot
from automation.sandbox.pipedrive import routes as pipedrive
from automation.sandbox.proxy import HOSTS, ConnectProxy
from automation.sandbox.state import Sandbox


@dataclass(frozen=True)
class Addresses:
    """Where the stand-ins listen. `proxy_url` and `ca_file` are for n8n."""

    base_url: str
    proxy_url: str
    ca_file: Path

    @property
    def hubspot(self) -> str:
        return f"{self.base_url}/hubspot"

    @property
    def pipedrive(self) -> str:
        return f"{self.base_url}/pipedrive"

    @property
    def hunter(self) -> str:
        return f"{self.base_url}/hunter"

    @property
    def clearbit(self) -> str:
        return f"{self.base_url}/clearbit"

    @property
    def slack(self) -> str:
        return f"{self.base_url}/slack/api/"


def build_app(sandbox: Sandbox) -> ASGIApp:
    """By host name behind the proxy, by path prefix for the SDKs; the page and the JSON at the root."""
    vendors = {"hubspot": hubspot.routes, "slack": slack.routes, "pipedrive": pipedrive.routes}
    hosts = dict(zip(HOSTS, ("hubspot", "slack", "pipedrive"), strict=True))
    app = Starlette(
        routes=[
            *(Host(host, Router(vendors[name](sandbox))) for host, name in hosts.items()),
            *(Mount(f"/{name}", routes=build(sandbox)) for name, build in vendors.items()),
            Mount("/hunter", routes=hunter.routes(sandbox)),
            Mount("/clearbit", routes=clearbit.routes(sandbox)),
            *page.routes(sandbox),
            *control.routes(sandbox),
        ]
    )
    return WithTransport(app)


@contextmanager
def running(sandbox: Sandbox, folder: Path, *, port: int = 0) -> Iterator[Addresses]:
    """Serves from a thread until the block ends. `folder` gets the authority's certificate and the server's key."""
    with serving(build_app(sandbox), folder, port=port) as addresses:
        yield addresses


@contextmanager
def serving(app: ASGIApp, folder: Path, *, port: int = 0) -> Iterator[Addresses]:
    """The same for an app that is there already."""
    folder.mkdir(parents=True, exist_ok=True)
    plain, tls, proxy = _listen(port), _listen(0), _listen(0)
    ca_file, cert_file = _certificates(folder)
    servers = [
        (uvicorn.Server(_config(app)), plain),
        (uvicorn.Server(_config(app, str(cert_file))), tls),
    ]
    started = threading.Event()
    thread = threading.Thread(
        target=lambda: asyncio.run(_serve(servers, proxy, tls.getsockname()[1], started)), name="sandbox", daemon=True
    )
    thread.start()
    started.wait(10)
    try:
        yield Addresses(_url(plain), _url(proxy), ca_file)
    finally:
        for server, _ in servers:
            server.should_exit = True
        thread.join(10)


async def _serve(
    servers: list[tuple[uvicorn.Server, socket.socket]], proxy: socket.socket, tls_port: int, started: threading.Event
) -> None:
    listener = await asyncio.start_server(ConnectProxy(tls_port).serve, sock=proxy)
    tasks = [asyncio.create_task(server.serve(sockets=[sock])) for server, sock in servers]
    while not all(server.started for server, _ in servers):
        await asyncio.sleep(0.01)
    started.set()
    await asyncio.gather(*tasks)
    listener.close()


def _config(app: ASGIApp, cert_file: str | None = None) -> uvicorn.Config:
    return uvicorn.Config(
        app, log_level="error", access_log=False, ssl_certfile=cert_file, lifespan="off", timeout_graceful_shutdown=1
    )


def _certificates(folder: Path) -> tuple[Path, Path]:
    authority = trustme.CA(organization_name="Leadloop sandbox")
    ca_file, cert_file = folder / "sandbox-ca.pem", folder / "sandbox-cert.pem"
    authority.cert_pem.write_to_path(ca_file)
    cert_file.unlink(missing_ok=True)
    cert_file.touch(mode=0o600)
    authority.issue_cert(*HOSTS).private_key_and_cert_chain_pem.write_to_path(cert_file)
    return ca_file, cert_file


def _listen(port: int) -> socket.socket:
    # The protocol by name: asyncio sets TCP_NODELAY only where it is given, and without it each answer waits 40 ms.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(512)
    return sock


def _url(sock: socket.socket) -> str:
    return f"http://127.0.0.1:{sock.getsockname()[1]}"
