"""GatewayParameters over what a Gateway is deployed as."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import yaml

from serai.api.gateway import Gateway
from serai.api.gateway_parameters import GatewayParametersSpec, Image
from serai.api.meta import Key
from serai.api.validate_gateway_parameters import check_gateway_parameters
from serai.attach.deployment import Port, Wish, merged
from serai.attach.gateways import Proxy, Role
from serai.kube.deployment import Deployment, objects
from serai.kube.image import image_with

KEY = Key("Gateway", "infra", "edge")
GATEWAY = msgspec.convert(
    {
        "metadata": {"name": "edge", "namespace": "infra"},
        "spec": {"gatewayClassName": "serai", "infrastructure": {"labels": {"team": "edge"}}},
    },
    Gateway,
)


def spec(text: str) -> GatewayParametersSpec:
    return msgspec.convert(yaml.safe_load(text), GatewayParametersSpec)


def deployed(text: str = "{kube: {}}") -> dict[str, Any]:
    """The objects, by kind."""
    proxy = Proxy(KEY, Role.GATEWAY, "serai", ())
    wish = Wish((Port(53, "UDP"), Port(80)), spec=spec(text))
    how = Deployment(image="envoyproxy/envoy:v1.40.0")
    made = objects(proxy, GATEWAY, "uid", "{}", how, wish)
    return {resource.kind: obj for resource, obj in made}


def pod(text: str) -> dict[str, Any]:
    found: dict[str, Any] = deployed(text)["Deployment"]["spec"]["template"]
    return found


def envoy(text: str) -> dict[str, Any]:
    (found,) = pod(text)["spec"]["containers"]
    return dict(found)


def test_what_is_not_said_stays() -> None:
    assert deployed("{kube: {}}") == deployed("{selfManaged: {}}")


def test_replicas_and_strategy() -> None:
    found = deployed("{kube: {deployment: {replicas: 3, strategy: {type: Recreate}}}}")
    assert found["Deployment"]["spec"]["replicas"] == 3
    assert found["Deployment"]["spec"]["strategy"] == {"type": "Recreate"}


def test_the_container() -> None:
    found = envoy("""
        kube:
          envoyContainer:
            image: {repository: our/envoy, tag: v9, pullPolicy: Always}
            resources: {limits: {memory: 1Gi}}
            env: [{name: A, value: "1"}]
            securityContext: {runAsUser: 7}
            extraArgs: [--concurrency, "2"]
            extraVolumeMounts: [{name: more, mountPath: /more}]
            bootstrap:
              logLevel: warn
              componentLogLevels: {upstream: debug, http2: trace}
              logFormat: {text: "%v"}
        """)
    assert found["image"] == "our/envoy:v9"
    assert found["imagePullPolicy"] == "Always"
    assert found["resources"] == {"limits": {"memory": "1Gi"}}
    assert [each["name"] for each in found["env"]] == ["POD_NAME", "NAMESPACE", "POD", "A"]
    assert found["securityContext"]["runAsUser"] == 7
    assert found["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert [each["name"] for each in found["volumeMounts"]][-1] == "more"
    assert found["args"][-8:] == [
        *("--log-level", "warn", "--component-log-level", "http2:trace,upstream:debug"),
        *("--log-format", "%v", "--concurrency", "2"),
    ]


def test_the_pod() -> None:
    found = pod("""
        kube:
          podTemplate:
            extraLabels: {a: b, team: others, gateway.networking.k8s.io/gateway-name: other}
            extraAnnotations: {c: d}
            nodeSelector: {disk: ssd}
            tolerations: [{key: x, operator: Exists}]
            affinity: {nodeAffinity: {}}
            topologySpreadConstraints: [{topologyKey: zone, maxSkew: 1, whenUnsatisfiable: X}]
            terminationGracePeriodSeconds: 90
            priorityClassName: high
            imagePullSecrets: [{name: pull}]
            extraVolumes: [{name: more, emptyDir: {}}]
            securityContext: {fsGroup: 5}
            gracefulShutdown: {enabled: true, sleepTimeSeconds: 25}
            readinessProbe: {periodSeconds: 7}
            livenessProbe: {tcpSocket: {port: 15021}}
        """)
    labels = found["metadata"]["labels"]
    assert labels["a"] == "b"
    assert labels["team"] == "edge", "what the Gateway says comes first"
    assert labels["gateway.networking.k8s.io/gateway-name"] == "edge"
    assert found["metadata"]["annotations"]["c"] == "d"
    of_pod = found["spec"]
    assert of_pod["nodeSelector"] == {"disk": "ssd"}
    assert of_pod["terminationGracePeriodSeconds"] == 90
    assert of_pod["priorityClassName"] == "high"
    assert of_pod["imagePullSecrets"] == [{"name": "pull"}]
    assert of_pod["tolerations"] == [{"key": "x", "operator": "Exists"}]
    assert of_pod["topologySpreadConstraints"][0]["topologyKey"] == "zone"
    assert of_pod["affinity"] == {"nodeAffinity": {}}
    assert [each["name"] for each in of_pod["volumes"]] == ["bootstrap", "more"]
    assert of_pod["securityContext"]["fsGroup"] == 5
    assert of_pod["securityContext"]["runAsNonRoot"]
    (container,) = of_pod["containers"]
    end = container["lifecycle"]["preStop"]["httpGet"]
    assert end["path"].startswith("/drain/")
    assert [each["value"] for each in end["httpHeaders"]] == ["25000"]
    assert container["readinessProbe"]["periodSeconds"] == 7
    assert container["readinessProbe"]["httpGet"]["path"] == "/ready"
    assert container["livenessProbe"] == {"tcpSocket": {"port": 15021}}


def test_a_shutdown_without_grace() -> None:
    found = envoy("{kube: {podTemplate: {gracefulShutdown: {enabled: false}}}}")
    assert "preStop" not in found["lifecycle"]


def test_a_probe_that_says_how_to_ask_is_taken_whole() -> None:
    found = envoy("{kube: {podTemplate: {startupProbe: {exec: {command: [x]}}}}}")
    assert found["startupProbe"] == {"exec": {"command": ["x"]}}


def test_no_security_context_by_default() -> None:
    text = (
        "{kube: {omitDefaultSecurityContext: true, podTemplate: {securityContext: {fsGroup: 1}}}}"
    )
    assert pod(text)["spec"]["securityContext"] == {"fsGroup": 1}
    assert "securityContext" not in envoy(text)


def test_the_service() -> None:
    found = deployed("""
        kube:
          service:
            type: NodePort
            extraLabels: {a: b}
            extraAnnotations: {c: d}
            externalTrafficPolicy: Local
            clusterIP: 10.96.0.9
            ports: [{port: 80, nodePort: 30080}, {port: 99, nodePort: 30099}]
        """)["Service"]
    assert found["spec"]["type"] == "NodePort"
    assert found["spec"]["externalTrafficPolicy"] == "Local"
    assert found["spec"]["clusterIP"] == "10.96.0.9"
    assert [(each["port"], each["protocol"]) for each in found["spec"]["ports"]] == [
        (53, "UDP"),
        (80, "TCP"),
    ]
    assert [each.get("nodePort") for each in found["spec"]["ports"]] == [None, 30080]
    assert found["metadata"]["labels"]["a"] == "b"
    assert found["metadata"]["annotations"] == {"c": "d"}


def test_overlays_come_last_and_what_objects_are_known_by_stays() -> None:
    found = deployed("""
        kube:
          deployment: {replicas: 2}
          deploymentOverlay:
            metadata:
              labels: {team: others, app.kubernetes.io/managed-by: me}
            spec:
              replicas: 5
              template:
                spec:
                  containers:
                  - {name: side, image: side}
                  - name: envoy
                    securityContext: null
          serviceAccountOverlay: {metadata: {annotations: {role: x}}}
          serviceOverlay: {spec: {sessionAffinity: ClientIP}}
        """)
    deployment = found["Deployment"]
    assert deployment["metadata"]["labels"]["team"] == "others"
    assert deployment["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "serai"
    assert deployment["spec"]["replicas"] == 5
    own, side = deployment["spec"]["template"]["spec"]["containers"]
    assert side == {"name": "side", "image": "side"}
    assert "securityContext" not in own
    assert own["args"]
    assert found["ServiceAccount"]["metadata"]["annotations"] == {"role": "x"}
    assert found["ServiceAccount"]["automountServiceAccountToken"] is False
    assert found["Service"]["spec"]["sessionAffinity"] == "ClientIP"


def test_scaling_is_there_only_where_it_is_asked_for() -> None:
    assert deployed()["HorizontalPodAutoscaler"] is None
    assert deployed()["PodDisruptionBudget"] is None
    found = deployed("""
        kube:
          horizontalPodAutoscaler: {spec: {minReplicas: 2, maxReplicas: 9}}
          podDisruptionBudget: {metadata: {labels: {a: b}}, spec: {minAvailable: 1}}
        """)
    scaler, budget = found["HorizontalPodAutoscaler"], found["PodDisruptionBudget"]
    assert scaler["spec"] == {
        "minReplicas": 2,
        "maxReplicas": 9,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "edge"},
    }
    assert budget["spec"]["minAvailable"] == 1
    assert budget["spec"]["selector"]["matchLabels"]
    assert budget["metadata"]["labels"]["a"] == "b"
    assert "replicas" not in found["Deployment"]["spec"], "the autoscaler's to say"


def test_a_gateways_parameters_are_over_its_class_s() -> None:
    below = spec("""
        kube:
          deployment: {replicas: 2}
          envoyContainer: {image: {registry: r, tag: v1, digest: "sha256:1"}}
          podTemplate: {extraLabels: {a: a, b: a}, tolerations: [{key: one}]}
        """)
    above = spec("""
        kube:
          envoyContainer: {image: {tag: v2}}
          podTemplate: {extraLabels: {b: b}, tolerations: [{key: two}]}
        """)
    found = merged(below, above).kube
    assert found is not None
    assert found.deployment is not None
    assert found.deployment.replicas == 2
    assert found.envoy_container is not None
    assert found.envoy_container.image == Image(registry="r", tag="v2")
    assert found.pod_template is not None
    assert found.pod_template.extra_labels == {"a": "a", "b": "b"}
    assert [each["key"] for each in found.pod_template.tolerations] == ["one", "two"]


def test_whoever_is_over_the_other_says_who_deploys() -> None:
    by_us, by_others = spec("{kube: {deployment: {replicas: 2}}}"), spec("{selfManaged: {}}")
    assert merged(by_us, by_others).self_managed is not None
    assert merged(by_others, by_us) == by_us


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (Image(), "r.example:5000/a/b:v1"),
        (Image(tag="v2"), "r.example:5000/a/b:v2"),
        (Image(digest="sha256:1"), "r.example:5000/a/b@sha256:1"),
        (Image(tag="v2", digest="sha256:1"), "r.example:5000/a/b:v2@sha256:1"),
        (Image(registry="q.example"), "q.example/a/b:v1"),
        (Image(registry=""), "a/b:v1"),
        (Image(repository="c"), "r.example:5000/c:v1"),
    ],
)
def test_images(asked: Image, found: str) -> None:
    assert image_with("r.example:5000/a/b:v1", asked) == found


def test_an_image_without_registry_or_tag() -> None:
    assert image_with("envoy", Image(tag="v1")) == "envoy:v1"
    assert image_with("a/envoy", Image(registry="localhost")) == "localhost/a/envoy"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{}", "spec"),
        ("{kube: {}, selfManaged: {}}", "spec"),
        ("{kube: {deployment: {replicas: -1}}}", "spec.kube.deployment.replicas"),
        ("{kube: {envoyContainer: {image: {tag: a b}}}}", "spec.kube.envoyContainer.image.tag"),
        ("{kube: {envoyContainer: {extraArgs: [-c, x]}}}", "spec.kube.envoyContainer.extraArgs[0]"),
        (
            "{kube: {envoyContainer: {bootstrap: {logLevel: loud}}}}",
            "spec.kube.envoyContainer.bootstrap.logLevel",
        ),
        (
            "{kube: {envoyContainer: {bootstrap: {componentLogLevels: {upstrem: info}}}}}",
            "spec.kube.envoyContainer.bootstrap.componentLogLevels.upstrem",
        ),
        (
            "{kube: {envoyContainer: {bootstrap: {logFormat: {}}}}}",
            "spec.kube.envoyContainer.bootstrap.logFormat",
        ),
        (
            "{kube: {podTemplate: {gracefulShutdown: {sleepTimeSeconds: 60}}}}",
            "spec.kube.podTemplate.gracefulShutdown.sleepTimeSeconds",
        ),
        ("{kube: {service: {type: ExternalName}}}", "spec.kube.service.type"),
        ("{kube: {service: {clusterIP: here}}}", "spec.kube.service.clusterIP"),
        (
            "{kube: {service: {type: ClusterIP, externalTrafficPolicy: Local}}}",
            "spec.kube.service.externalTrafficPolicy",
        ),
        (
            "{kube: {service: {type: ClusterIP, ports: [{port: 80, nodePort: 30000}]}}}",
            "spec.kube.service.ports",
        ),
        (
            "{kube: {service: {loadBalancerSourceRanges: [all]}}}",
            "spec.kube.service.loadBalancerSourceRanges[0]",
        ),
        (
            "{kube: {deploymentOverlay: {spec: {a: [{$patch: odd}]}}}}",
            "spec.kube.deploymentOverlay.spec.a[0].$patch",
        ),
        (
            "{kube: {serviceOverlay: {spec: {$retainKeys: [a]}}}}",
            "spec.kube.serviceOverlay.spec.$retainKeys",
        ),
        (
            "{kube: {horizontalPodAutoscaler: {spec: {minReplicas: 1}}}}",
            "spec.kube.horizontalPodAutoscaler.spec.maxReplicas",
        ),
        (
            "{kube: {podDisruptionBudget: {spec: {minAvailable: 1, maxUnavailable: 1}}}}",
            "spec.kube.podDisruptionBudget.spec",
        ),
    ],
)
def test_what_cannot_be_is_told_by_its_field(text: str, path: str) -> None:
    (fault,) = check_gateway_parameters(spec(text), "LoadBalancer")
    assert fault.path == path
    assert path in fault.message
