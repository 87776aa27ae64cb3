"""Istio's own ztunnel in front of our waypoint, by either transport.

ZTUNNEL names a ztunnel that was built with the feature `testing`, whose mock authority
signs its certificates; ZTUNNEL_CA the folder with that authority's root-cert.pem and ca-key.pem
(src/tls in ztunnel's sources).  Two network namespaces stand for two Pods, and clients come in by
ztunnel's SOCKS5.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from live.namespaces import SECONDS, Namespace, cannot, wired

pytestmark = pytest.mark.live

ZTUNNEL, CA = os.environ.get("ZTUNNEL", ""), os.environ.get("ZTUNNEL_CA", "")
WHY_NOT = cannot() if ZTUNNEL and CA else "ZTUNNEL and ZTUNNEL_CA name no ztunnel"
needed = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)

SERAI = str(Path(sys.executable).parent / "serai")
CLIENT = "spiffe://cluster.local/ns/shop/sa/cart"
MESH = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: waypoint, namespace: shop, labels: {{istio.io/waypoint-for: all}}}}
spec:
  gatewayClassName: serai-waypoint
  {gateway}
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: shop, labels: {{istio.io/use-waypoint: waypoint}}}}
spec:
  clusterIP: 240.7.2.1
  selector: {{app: web}}
  ports: [{{name: http, port: 80, targetPort: 18080}}, {{name: any, port: 90, targetPort: 18080}}]
---
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: shop, labels: {{app: web, istio.io/use-waypoint: waypoint}}}}
status: {{podIP: 127.77.0.9}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: web, namespace: shop}}
spec:
  parentRefs: [{{group: "", kind: Service, name: web}}]
  rules:
  - filters:
    - type: ResponseHeaderModifier
      responseHeaderModifier: {{add: [{{name: x-route, value: web}}]}}
    backendRefs: [{{name: web, port: 80}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: web, namespace: shop}}
spec:
  targetRefs: [{{group: "", kind: Service, name: web}}]
  action: ALLOW
  rules:
  - from: [{{source: {{principals: [cluster.local/ns/shop/sa/cart]}}}}]
    to: [{{operation: {{notPaths: [/secret]}}}}]
"""
HBONE = """addresses: [{type: IPAddress, value: 10.77.0.2}]
  listeners: [{name: mesh, port: 15008, protocol: HBONE}]"""
PROXY = "listeners: [{name: proxy, port: 15088, protocol: istio.io/PROXY}]"
ASK = """
import json, socket, struct, sys
host, port, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
s = socket.create_connection(("127.0.0.1", 15080), 5)
s.sendall(b"\\x05\\x01\\x00"); assert s.recv(2) == b"\\x05\\x00"
s.sendall(b"\\x05\\x01\\x00\\x01" + socket.inet_aton(host) + struct.pack("!H", port))
assert s.recv(10)[1] == 0
s.sendall(f"GET {path} HTTP/1.1\\r\\nhost: web\\r\\nconnection: close\\r\\n\\r\\n".encode())
s.settimeout(5)
got = b""
while chunk := s.recv(65536):
    got += chunk
head, _, body = got.partition(b"\\r\\n\\r\\n")
route = [l.split(b": ")[1].decode() for l in head.split(b"\\r\\n") if l.startswith(b"x-route")]
print(json.dumps({"status": int(head.split()[1]), "route": route, "body": body.decode()}))
"""


def workload(name: str, account: str, address: str, **more: Any) -> dict[str, Any]:
    return {
        "uid": f"cluster/{name}",
        "name": name,
        "namespace": "shop",
        "serviceAccount": account,
        "trustDomain": "cluster.local",
        "workloadIps": [address],
        "services": {},
        **more,
    }


def state(**of_waypoint: Any) -> dict[str, Any]:
    """What istiod would tell a ztunnel of all this."""
    waypoint = {"destination": "/10.77.0.2", "hboneMtlsPort": 15008}
    return {
        "workloads": [
            workload("client", "cart", "10.77.0.1"),
            workload("stranger", "stranger", "10.77.0.3"),
            workload("waypoint", "waypoint", "10.77.0.2", protocol="HBONE", **of_waypoint),
            workload("web", "default", "127.77.0.9", waypoint=waypoint),
        ],
        "services": [
            {
                "name": "web",
                "namespace": "shop",
                "hostname": "web.shop.svc.cluster.local",
                "vips": ["/240.7.2.1"],
                "ports": {80: 18080, 90: 18080},
                "waypoint": waypoint,
            }
        ],
    }


@contextlib.contextmanager
def ztunnel(
    where: Namespace, tmp_path: Path, who: str, known: dict[str, Any], *, client: bool
) -> Iterator[Path]:
    """A ztunnel for one workload, ``namespace/name/account``."""
    title = f"ztunnel-{who.replace('/', '-')}"
    config = tmp_path / f"{title}.yaml"
    config.write_text(yaml.safe_dump(known))
    environment = {
        "FAKE_CA": "true",
        "XDS_ADDRESS": "",
        "LOCAL_XDS_PATH": str(config),
        "PROXY_MODE": "dedicated",
        "PROXY_WORKLOAD_INFO": who,
        "ENABLE_ORIG_SRC": "false",
        "ZTUNNEL_WORKER_THREADS": "1",
        **({"UNSTABLE_ENABLE_SOCKS5": "true"} if client else {}),
    }
    with where.running(title, ZTUNNEL, environment=environment) as log:
        port = "15080" if client else "15008"
        until(lambda: port in where.output("ss", "-ltn"), log)
        yield log


@contextlib.contextmanager
def serai(where: Namespace, tmp_path: Path, gateway: str, port: int) -> Iterator[None]:
    """Our waypoint and the workload behind it."""
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "mesh.yaml").write_text(MESH.format(gateway=gateway))
    identity = tmp_path / "identity"
    signed(identity, "spiffe://cluster.local/ns/shop/sa/waypoint")
    environment = {"SERAI_STATE": str(tmp_path / "state")}
    run = (SERAI, "run", str(folder), "--identity-folder", str(identity))
    with (
        where.running("echo", SERAI, "echo", str(folder)) as echo,
        where.running("serai", *run, environment=environment) as log,
    ):
        until(lambda: "127.77.0.9:18080" in where.output("ss", "-ltn"), echo)
        until(lambda: f":{port} " in where.output("ss", "-ltn"), log)
        yield


def signed(folder: Path, identity: str) -> None:
    """A certificate of the mock authority, in the files that a waypoint reads."""
    root = x509.load_pem_x509_certificate((Path(CA) / "root-cert.pem").read_bytes())
    signer = serialization.load_pem_private_key((Path(CA) / "ca-key.pem").read_bytes(), None)
    assert isinstance(signer, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    names = [x509.UniformResourceIdentifier(identity)]
    chain = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "cluster.local")]))
        .issuer_name(root.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .sign(signer, hashes.SHA256())
    )
    folder.mkdir()
    pem = serialization.Encoding.PEM
    (folder / "cert-chain.pem").write_bytes(chain.public_bytes(pem))
    (folder / "root-cert.pem").write_bytes(root.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def until(wanted: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while not wanted():
        assert time.monotonic() < deadline, log.read_text(errors="replace")[-4000:]
        time.sleep(0.1)


def ask(where: Namespace, host: str, port: int, path: str = "/") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        where.output(sys.executable, "-c", ASK, host, str(port), path)
    )
    return found


def check(client: Namespace) -> None:
    """A caller that is known by its own ztunnel asks for the service, and for the Pod itself."""
    for port in (80, 90):
        good = ask(client, "240.7.2.1", port)
        assert (good["status"], good["route"]) == (200, ["web"]), good
        assert json.loads(good["body"])["pod"] == "web"
        assert ask(client, "240.7.2.1", port, "/secret")["status"] == 403
    direct = ask(client, "127.77.0.9", 18080, "/secret")
    assert (direct["status"], direct["route"]) == (200, []), direct


@needed
def test_by_hbone(tmp_path: Path) -> None:
    with (
        wired(tmp_path) as (one, other),
        serai(other, tmp_path, HBONE, 15008),
    ):
        with ztunnel(one, tmp_path, "shop/client/cart", state(), client=True):
            check(one)
        with ztunnel(one, tmp_path, "shop/stranger/stranger", state(), client=True):
            assert ask(one, "240.7.2.1", 80)["status"] == 403


@needed
def test_by_the_proxy_protocol_from_a_ztunnel_beside_it(tmp_path: Path) -> None:
    beside = {"applicationTunnel": {"protocol": "PROXY", "port": 15088}}
    with (
        wired(tmp_path) as (one, other),
        serai(other, tmp_path, PROXY, 15088),
        ztunnel(other, tmp_path, "shop/waypoint/waypoint", state(**beside), client=False),
    ):
        with ztunnel(one, tmp_path, "shop/client/cart", state(**beside), client=True):
            check(one)
        with ztunnel(one, tmp_path, "shop/stranger/stranger", state(**beside), client=True):
            assert ask(one, "240.7.2.1", 80)["status"] == 403
