"""In front of the simulated Azure: the same answers, but its flexible servers are in virtual networks, without public access."""

import http.client
import json
import re
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NUMBER = re.compile(r"-(\d+)$")


class PrivateAzure:
    """Answers on loopback for the simulated Azure at `port`. `network` gives the name of a server's virtual network."""

    def __init__(self, port: int, trusts: str, certificate: str, key: str, network):
        upstream = ssl.create_default_context(cafile=trusts)
        here = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        here.load_cert_chain(certificate, key)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                asked = self.rfile.read(int(self.headers.get("content-length") or 0))
                azure = http.client.HTTPSConnection("localhost", port, context=upstream, timeout=60)
                headers = {name: value for name, value in self.headers.items() if name.lower() != "accept-encoding"}
                azure.request(self.command, self.path, asked, headers)
                reply = azure.getresponse()
                body = self.moved(reply.read())
                azure.close()
                self.send_response(reply.status)
                for name, value in reply.getheaders():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                        self.send_header(name, self.own(value))
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = do_HEAD = answer

            def own(self, text: str) -> str:
                return text.replace(f"https://localhost:{port}", f"https://localhost:{self.server.server_port}")

            def moved(self, body: bytes) -> bytes:
                text = self.own(body.decode())
                if '"network":{"publicNetworkAccess":"Enabled"}' not in text:
                    return text.encode()
                answer = json.loads(text)
                for server in answer.get("value", [answer]):
                    move(server, network(server["name"]))
                return json.dumps(answer).encode()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.socket = here.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def move(server: dict, network: str) -> None:
    """Puts a server, as Resource Manager describes it, into a virtual network."""
    head = server["id"].split("/providers/")[0]
    server["properties"]["network"] = {
        "publicNetworkAccess": "Disabled",
        "delegatedSubnetResourceId": f"{head}/providers/Microsoft.Network/virtualNetworks/{network}/subnets/postgres",
        "privateDnsZoneArmResourceId": f"{head}/providers/Microsoft.Network/privateDnsZones/{network}.postgres.database.azure.com",
    }
