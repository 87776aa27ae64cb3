"""Runs in Sovereign's own environment, knows nothing of Serai, and prints a line of JSON.

``python in_sovereign.py SERVICES JINJA`` (JINJA: 1 or 0).
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PYTHON = """
def call(backends, **_):
    for each in backends:
        yield {
            "name": each["name"],
            "type": "STATIC",
            "connect_timeout": "5s",
            "load_assignment": {
                "cluster_name": each["name"],
                "endpoints": [{"lb_endpoints": [
                    {"endpoint": {"address": {"socket_address": {
                        "address": address, "port_value": 8080}}}}
                    for address in each["endpoints"]
                ]}],
            },
        }
"""
JINJA = """
resources:
{% for each in backends %}
- name: {{ each.name }}
  type: STATIC
  connect_timeout: 5s
  load_assignment:
    cluster_name: {{ each.name }}
    endpoints:
    - lb_endpoints:
{% for address in each.endpoints %}
      - endpoint:
          address:
            socket_address: {address: {{ address }}, port_value: 8080}
{% endfor %}
{% endfor %}
"""
CONFIG = """
sources: []
templates:
  default:
  - {type: clusters, spec: {loader: python, target: FOLDER/clusters.py}}
  - type: endpoints
    spec: {loader: file, target: FOLDER/clusters.yaml, deserialize_with: jinja}
"""


def seconds(template: Any, kind: str, backends: list[dict[str, Any]]) -> tuple[float, int]:
    """How long one rendering takes, from the template to JSON, and its bytes."""
    from sovereign.rendering_common import (  # noqa: PLC0415  # after it was configured
        add_type_urls,
        deserialize_config,
        filter_resources,
    )
    from sovereign.types import ProcessedTemplate  # noqa: PLC0415

    began = time.perf_counter()
    found = template.generate(
        discovery_request=None, host_header="x", resource_names=[], utils=None, backends=backends
    )
    if not template.is_python_source:
        found = deserialize_config(found)
    resources = filter_resources(found["resources"], [])
    add_type_urls("v3", kind, resources)
    done = ProcessedTemplate(resources=resources)
    _ = done.version_info
    text = done.model_dump_json(indent=None)
    return time.perf_counter() - began, len(text)


def main(services: int, *, jinja: bool) -> None:
    """Render everything, once with each kind of template."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "clusters.py").write_text(PYTHON)
        (Path(folder) / "clusters.yaml").write_text(JINJA)
        config = Path(folder) / "config.yaml"
        config.write_text(CONFIG.replace("FOLDER", folder))
        os.environ["SOVEREIGN_CONFIG"] = f"file://{config}"
        os.environ["SOVEREIGN_CACHE_PATH"] = f"{folder}/cache"
        from sovereign.configuration import config as loaded  # noqa: PLC0415
        from sovereign.types import XdsTemplate  # noqa: PLC0415

        templates = {
            each.type: XdsTemplate(path=each.spec, resource_type=each.type)
            for each in loaded.templates.default
        }
        backends = [
            {
                "name": f"s{number}",
                "endpoints": [f"10.{e}.{number >> 8 & 255}.{number & 255}" for e in range(10)],
            }
            for number in range(services)
        ]
        took, size = seconds(templates["clusters"], "clusters", backends)
        found: dict[str, Any] = {"python_s": round(took, 3), "bytes": size}
        if jinja:
            found["jinja_s"] = round(seconds(templates["endpoints"], "clusters", backends)[0], 3)
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), jinja=sys.argv[2] == "1")
