from __future__ import annotations

import json

from serai.api.meta import Key
from serai.ir.cluster import Cluster, Discovery
from serai.ir.origin import Origin
from serai.ir.tls import ClientCertificate, Material, UpstreamTls
from serai.model.settings import Settings
from serai.views.configuration import as_json
from serai.xds.encode.cluster import encode_cluster


def test_a_clusters_private_key_is_shown_to_nobody_but_envoy() -> None:
    certificate = ClientCertificate(Material("PUBLIC"), Material("PRIVATE"))
    tls = UpstreamTls(sni="a.example", trust=Material("CA"), certificate=certificate)
    cluster = Cluster("c", Discovery.EDS, Origin(Key("Service", "a", "b")), leaves=(tls,))

    resource = encode_cluster(cluster, Settings())
    shown = json.dumps(as_json(resource))

    assert b"PRIVATE" in resource.body
    assert "PUBLIC" in shown and "CA" in shown and "a.example" in shown
    assert "PRIVATE" not in shown
    assert "PRIVATE" not in repr(cluster)
